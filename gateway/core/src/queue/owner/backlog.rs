//! The entries of a partition that its owner knows.

use super::{
    count::OwnerCount,
    interface::Ticket,
    limits::OwnerLimits,
    state::{Absence, Cause, Chain, Chains, DeadLetterMoves, Head, Reading, Refused, StoreClock},
};
use crate::{
    model::Tick,
    queue::{DeadReason, EntryId},
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// The entries of a partition that its owner knows, and what it does next. One for each ownership. `P` is what is delivered.
///
/// The entries of a key are delivered in the order of their ids, one at a time: the next one after the one before it was acknowledged or a dead letter. Entries
/// without a key never wait for each other.
#[derive(Debug)]
pub struct Backlog<P> {
    pub(super) limits: OwnerLimits,
    pub(super) generation: u64,
    pub(super) chains: Chains<P>,
    pub(super) reading: Reading,
    pub(super) dead_letter_moves: DeadLetterMoves,
    pub(super) absence: Absence,
    pub(super) clock: StoreClock,
    pub(super) is_paused: bool,
    rng: StdRng,
    /// Entries that are done and not yet handed to the store.
    pub(super) done: VecDeque<EntryId>,
    /// Number of entries that are done, until the store confirms it.
    pub(super) unconfirmed: usize,
    /// Numbers of tries that the store does not know.
    tried: BTreeMap<EntryId, u32>,
    counts: [u64; OwnerCount::ALL.len()],
}

/// An entry to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handout<P> {
    /// Its name in reports.
    pub ticket: Ticket,
    /// Its key. None: it has none.
    pub key: Option<Arc<str>>,
    /// After this it must not be written.
    pub expires: Option<Tick>,
    /// What is delivered.
    pub payload: P,
}

impl<P: Clone> Backlog<P> {
    /// A backlog at the beginning of an ownership. `generation` distinguishes it from others of the same consumer; `seed` spreads the pauses; `store_ms` is
    /// the clock of the store.
    pub fn new(limits: OwnerLimits, generation: u64, seed: u64, now: Tick, store_ms: u64) -> Self {
        Self {
            chains: Chains::new(limits.of_one_key() / 2),
            limits,
            generation,
            reading: Reading::default(),
            dead_letter_moves: DeadLetterMoves::default(),
            absence: Absence::default(),
            clock: StoreClock::new(now, store_ms),
            is_paused: false,
            rng: StdRng::seed_from_u64(seed),
            done: VecDeque::new(),
            unconfirmed: 0,
            tried: BTreeMap::new(),
            counts: [0; OwnerCount::ALL.len()],
        }
    }

    /// Stops deliveries and reads, or lets them go on.
    pub fn set_paused(&mut self, paused: bool) {
        self.is_paused = paused;
    }

    /// The clock of the store shows this now.
    pub fn set_clock(&mut self, now: Tick, store_ms: u64) {
        self.clock = StoreClock::new(now, store_ms);
    }

    /// Whether [`Self::next_delivery`] has something. It may have nothing in spite of this, if all that was ready has expired.
    pub fn has_delivery(&self, now: Tick) -> bool {
        !self.is_paused && self.absence.is_over(now) && self.chains.first_ready().is_some()
    }

    /// The next entry to deliver: the one with the lowest id whose key is ready.
    pub fn next_delivery(&mut self, now: Tick) -> Option<Handout<P>> {
        while self.has_delivery(now) {
            let (id, at) = self.chains.first_ready()?;
            let chain = self.chains.get(at)?;
            let content = chain.content()?;
            if self.clock.is_past(content.expires_ms, now) {
                self.expire(at);
                continue;
            }
            let handout = Handout {
                ticket: Ticket { generation: self.generation, entry: id, attempt: chain.tries.saturating_add(1) },
                key: chain.key.clone(),
                expires: content.expires_ms.map(|ms| self.clock.tick_after(ms)),
                payload: content.payload.clone(),
            };
            self.chains.change(at, |chain| chain.state = Head::Handed);
            return Some(handout);
        }
        None
    }

    /// Entries to acknowledge, at most this number. Call [`Self::confirmed`] when the store has done it.
    pub fn take_done(&mut self, most: usize) -> Vec<EntryId> {
        let number = self.done.len().min(most);
        self.done.drain(..number).collect()
    }

    /// The store deleted this number of entries that are done.
    pub fn confirmed(&mut self, number: usize) {
        self.unconfirmed = self.unconfirmed.saturating_sub(number);
    }

    /// Numbers of tries for the store, at most this number.
    pub fn take_tried(&mut self, most: usize) -> Vec<(EntryId, u32)> {
        std::iter::from_fn(|| self.tried.pop_first()).take(most).collect()
    }

    /// The next moment at which something happens by itself: call [`Self::tick`] then.
    pub fn deadline(&self) -> Option<Tick> {
        let absence = self.absence.until().filter(|_| self.chains.first_ready().is_some());
        let dead_letter_moves = self.dead_letter_moves.until().filter(|_| self.chains.first_dead_letter_due().is_some());
        [self.chains.next_timer(), absence, dead_letter_moves].into_iter().flatten().min()
    }

    /// Time passed.
    pub fn tick(&mut self, now: Tick) {
        self.absence.tick(now);
        self.dead_letter_moves.tick(now);
        while let Some((id, at)) = self.chains.due(now) {
            match self.chains.get(at).map(|chain| &chain.state) {
                Some(Head::Sent(_)) => {
                    self.count(OwnerCount::TimedOut);
                    let pause = self.try_failed(id, at, "The delivery was not acknowledged in time.");
                    self.wait(at, pause.map(|pause| now.after(pause)));
                }
                Some(Head::Waiting(_)) => drop(self.chains.change(at, |chain| chain.state = Head::Unloaded)),
                Some(Head::Ready(_)) => self.settle(at, now),
                _ => return,
            }
        }
    }

    /// Number of deliveries that were written and not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.chains.sent()
    }

    /// Number of keys that wait for another try, or for a place among the dead letters. An entry without a key counts as a key.
    pub fn blocked_keys(&self) -> usize {
        self.chains.blocked()
    }

    /// Number of entries with content.
    pub fn loaded(&self) -> usize {
        self.chains.size().loaded
    }

    /// Bytes of their content.
    pub fn loaded_bytes(&self) -> usize {
        self.chains.size().bytes
    }

    /// Number of entries that are known by their id only.
    pub fn ids_only(&self) -> usize {
        self.chains.size().ids
    }

    /// What happened since the last call.
    pub fn take_counts(&mut self) -> impl Iterator<Item = (OwnerCount, u64)> {
        let counts = std::mem::take(&mut self.counts);
        OwnerCount::ALL.into_iter().map(move |what| (what, counts[what as usize])).filter(|(_, number)| *number > 0)
    }

    pub(super) fn count(&mut self, what: OwnerCount) {
        self.counts[what as usize] += 1;
    }

    /// A head whose content may have become known: it can be delivered, or it becomes a dead letter.
    pub(super) fn settle(&mut self, at: usize, now: Tick) {
        let Some(chain) = self.chains.get(at) else { return };
        let (Head::Unloaded | Head::Ready(_), Some(content)) = (&chain.state, chain.content()) else { return };
        if chain.tries >= self.limits.tries {
            self.make_dead_letter(at, DeadReason::Tries, "The entry had all its tries under another owner.");
        } else if self.clock.is_past(content.expires_ms, now) {
            self.expire(at);
        } else {
            let until = content.expires_ms.map(|ms| self.clock.tick_after(ms).max(Tick(now.0 + 1)));
            self.chains.change(at, |chain| chain.state = Head::Ready(until));
        }
    }

    fn expire(&mut self, at: usize) {
        self.make_dead_letter(at, DeadReason::Expired, "The entry was not delivered in time.");
    }

    // NL-8.7
    /// Counts a try. Returns the pause before the next one, or None if it was the last: then the entry becomes a dead letter.
    pub(super) fn try_failed(&mut self, id: EntryId, at: usize, why: &str) -> Option<Duration> {
        let tries = self.chains.change(at, |chain| {
            chain.tries = chain.tries.saturating_add(1);
            chain.tries
        })?;
        self.tried.insert(id, tries);
        if tries >= self.limits.tries {
            self.make_dead_letter(at, DeadReason::Tries, why);
            return None;
        }
        Some(self.limits.pause(tries, &mut self.rng))
    }

    // NL-8.8
    /// The next try of a head begins then. None: there is none.
    pub(super) fn wait(&mut self, at: usize, until: Option<Tick>) {
        let Some(until) = until else { return };
        self.chains.change(at, |chain| {
            chain.state = Head::Waiting(until);
            chain.unload();
        });
    }

    pub(super) fn make_dead_letter(&mut self, at: usize, reason: DeadReason, detail: &str) {
        let cause = Cause { reason, detail: shortened(detail, DETAIL).into(), refused: Refused::Never };
        self.chains.change(at, |chain| chain.state = Head::DeadLetterDue(cause));
    }

    /// The head of a chain is no more: the next entry becomes the head.
    pub(super) fn advance(&mut self, at: usize, id: EntryId, now: Tick) {
        self.tried.remove(&id);
        self.chains.change(at, Chain::advance);
        self.settle(at, now);
    }

    /// An entry is done.
    pub(super) fn acknowledge(&mut self, id: EntryId) {
        self.done.push_back(id);
        self.unconfirmed += 1;
    }
}

/// Bytes of [`DeadLetter::detail`](crate::queue::DeadLetter::detail).
const DETAIL: usize = 1024;

/// The beginning of a text, at most this number of bytes.
pub(super) fn shortened(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
