//! All chains of a partition, and where to find what is due. Every operation costs at most the logarithm of their number.

use super::chain::{Chain, Head, Loads, Size};
use crate::{model::Tick, queue::EntryId};
use slab::Slab;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// The chains. [`Self::change`] keeps the indexes.
#[derive(Debug)]
pub(in crate::queue::owner) struct Chains<P> {
    all: Slab<Chain<P>>,
    by_key: HashMap<Arc<str>, usize>,
    by_head: BTreeMap<EntryId, usize>,
    /// Heads that can be delivered.
    ready: BTreeMap<EntryId, usize>,
    /// Heads that become dead letters.
    dead_letter_due: BTreeMap<EntryId, usize>,
    /// Chains that need content, by the first entry without.
    unloaded: BTreeMap<EntryId, usize>,
    timers: BTreeSet<(Tick, EntryId)>,
    total: Size,
    sent: usize,
    blocked: usize,
    /// A chain needs content when it has no more than this.
    low: usize,
}

/// Where the indexes have a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    size: Size,
    head: Option<EntryId>,
    timer: Option<Tick>,
    unloaded: Option<EntryId>,
    ready: Option<EntryId>,
    dead_letter_due: Option<EntryId>,
    is_sent: bool,
    is_blocked: bool,
}

impl<P> Chains<P> {
    /// No chains. One needs content when it has no more than `low` entries with content.
    pub(in crate::queue::owner) fn new(low: usize) -> Self {
        Self {
            all: Slab::new(),
            by_key: HashMap::new(),
            by_head: BTreeMap::new(),
            ready: BTreeMap::new(),
            dead_letter_due: BTreeMap::new(),
            unloaded: BTreeMap::new(),
            timers: BTreeSet::new(),
            total: Size::default(),
            sent: 0,
            blocked: 0,
            low,
        }
    }

    /// The chain of a key, or a new one. A chain without entries is removed by the next [`Self::change`].
    pub(in crate::queue::owner) fn of_key(&mut self, key: &str) -> usize {
        if key.is_empty() {
            return self.all.insert(Chain::new(None));
        }
        if let Some(at) = self.by_key.get(key) {
            return *at;
        }
        let key: Arc<str> = key.into();
        let at = self.all.insert(Chain::new(Some(key.clone())));
        self.by_key.insert(key, at);
        at
    }

    pub(in crate::queue::owner) fn get(&self, at: usize) -> Option<&Chain<P>> {
        self.all.get(at)
    }

    /// The chain with this head.
    pub(in crate::queue::owner) fn with_head(&self, id: EntryId) -> Option<usize> {
        self.by_head.get(&id).copied()
    }

    /// Changes a chain, and removes it if it has no entries.
    pub(in crate::queue::owner) fn change<R>(&mut self, at: usize, change: impl FnOnce(&mut Chain<P>) -> R) -> Option<R> {
        let low = self.low;
        let chain = self.all.get_mut(at)?;
        let before = Place::of(chain, low);
        let result = change(chain);
        let after = Place::of(chain, low);
        self.move_to(at, before, after);
        if after.head.is_none() {
            let key = self.all.remove(at).key;
            key.map(|key| self.by_key.remove(&key));
        }
        Some(result)
    }

    fn move_to(&mut self, at: usize, before: Place, after: Place) {
        let total = &mut self.total;
        total.loaded = total.loaded + after.size.loaded - before.size.loaded;
        total.bytes = total.bytes + after.size.bytes - before.size.bytes;
        total.ids = total.ids + after.size.ids - before.size.ids;
        self.sent = self.sent + usize::from(after.is_sent) - usize::from(before.is_sent);
        self.blocked = self.blocked + usize::from(after.is_blocked) - usize::from(before.is_blocked);
        replace(&mut self.by_head, at, before.head, after.head);
        replace(&mut self.unloaded, at, before.unloaded, after.unloaded);
        replace(&mut self.ready, at, before.ready, after.ready);
        replace(&mut self.dead_letter_due, at, before.dead_letter_due, after.dead_letter_due);
        let (before, after) = (before.timer.zip(before.head), after.timer.zip(after.head));
        if before != after {
            before.map(|timer| self.timers.remove(&timer));
            after.map(|timer| self.timers.insert(timer));
        }
    }

    /// The first head that can be delivered.
    pub(in crate::queue::owner) fn first_ready(&self) -> Option<(EntryId, usize)> {
        self.ready.first_key_value().map(|(id, at)| (*id, *at))
    }

    /// The first head that becomes a dead letter.
    pub(in crate::queue::owner) fn first_dead_letter_due(&self) -> Option<(EntryId, usize)> {
        self.dead_letter_due.first_key_value().map(|(id, at)| (*id, *at))
    }

    /// Chains that need content, those with the oldest first.
    pub(in crate::queue::owner) fn need_content(&self) -> impl Iterator<Item = (usize, &Chain<P>)> {
        self.unloaded.values().filter_map(|at| Some((*at, self.all.get(*at)?)))
    }

    /// The next moment at which something happens to a head by itself.
    pub(in crate::queue::owner) fn next_timer(&self) -> Option<Tick> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A head to which something happens now.
    pub(in crate::queue::owner) fn due(&self, now: Tick) -> Option<(EntryId, usize)> {
        let (_, id) = *self.timers.first().filter(|(at, _)| *at <= now)?;
        Some((id, self.with_head(id)?))
    }

    /// What all chains hold.
    pub(in crate::queue::owner) fn size(&self) -> Size {
        self.total
    }

    /// Number of heads that were written and not acknowledged.
    pub(in crate::queue::owner) fn sent(&self) -> usize {
        self.sent
    }

    /// Number of chains that wait for something other than a consumer.
    pub(in crate::queue::owner) fn blocked(&self) -> usize {
        self.blocked
    }

    /// The key of the chain with most entries; empty: an entry without a key. Looks at all chains.
    pub(in crate::queue::owner) fn longest(&self) -> Option<&str> {
        let longest = self.all.iter().map(|(_, chain)| chain).max_by_key(|chain| chain.size().ids)?;
        Some(longest.key.as_deref().unwrap_or_default())
    }
}

impl Place {
    fn of<P>(chain: &Chain<P>, low: usize) -> Self {
        let (size, head) = (chain.size(), chain.head());
        let needs_content = chain.loads == Loads::Idle
            && size.loaded <= low
            && match chain.state {
                Head::Unloaded | Head::Ready(_) | Head::Handed | Head::Sent(_) => true,
                Head::Waiting(_) | Head::DeadLetterDue(_) | Head::MovingToDeadLetters(_) => false,
            };
        Self {
            size,
            head,
            timer: chain.timer(),
            unloaded: chain.first_unloaded().filter(|_| needs_content),
            ready: head.filter(|_| matches!(chain.state, Head::Ready(_))),
            dead_letter_due: head.filter(|_| matches!(chain.state, Head::DeadLetterDue(_))),
            is_sent: matches!(chain.state, Head::Sent(_)),
            is_blocked: chain.is_blocked(),
        }
    }
}

fn replace(index: &mut BTreeMap<EntryId, usize>, at: usize, before: Option<EntryId>, after: Option<EntryId>) {
    if before != after {
        before.map(|id| index.remove(&id));
        after.map(|id| index.insert(id, at));
    }
}
