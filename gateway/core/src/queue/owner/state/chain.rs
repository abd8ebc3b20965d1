//! The entries of one key.

use crate::{
    model::Tick,
    queue::{DeadReason, EntryId},
};
use std::{collections::VecDeque, sync::Arc};

/// The entries of one key in their order, or one entry without a key. The first is the head: only it is delivered.
#[derive(Debug)]
pub(in crate::queue::owner) struct Chain<P> {
    /// None: an entry without a key.
    pub(in crate::queue::owner) key: Option<Arc<str>>,
    /// The state of the head.
    pub(in crate::queue::owner) state: Head,
    /// Number of tries of the head.
    pub(in crate::queue::owner) tries: u32,
    /// The first entries, with content.
    loaded: VecDeque<Loaded<P>>,
    /// Those behind them.
    ids: VecDeque<EntryId>,
    bytes: usize,
    /// Whether a read of the first of `ids` is under way.
    pub(in crate::queue::owner) loads: Loads,
}

/// An entry with content.
#[derive(Debug)]
pub(in crate::queue::owner) struct Loaded<P> {
    pub(in crate::queue::owner) id: EntryId,
    pub(in crate::queue::owner) tries: u32,
    pub(in crate::queue::owner) bytes: usize,
    /// The time at which it expires, by the clock of the store, in milliseconds since 1970.
    pub(in crate::queue::owner) expires_ms: Option<u64>,
    pub(in crate::queue::owner) payload: P,
}

/// The state of the first entry of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::queue::owner) enum Head {
    /// Its content has to be read.
    Unloaded,
    /// It can be delivered, at least until this moment.
    Ready(Option<Tick>),
    /// A consumer has it and did not write it yet.
    Handed,
    /// It was written. It has to be acknowledged before this moment.
    Sent(Tick),
    /// The next try begins at this moment.
    Waiting(Tick),
    /// It becomes a dead letter.
    DeadLetterDue(Cause),
    /// The store makes it a dead letter.
    MovingToDeadLetters(Cause),
}

/// Why an entry becomes a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::queue::owner) struct Cause {
    pub(in crate::queue::owner) reason: DeadReason,
    pub(in crate::queue::owner) detail: Box<str>,
    /// Whether the store has refused it once, because there are too many dead letters.
    pub(in crate::queue::owner) refused: Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue::owner) enum Refused {
    Never,
    Once,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue::owner) enum Loads {
    Idle,
    UnderWay,
}

/// What a chain holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::queue::owner) struct Size {
    pub(in crate::queue::owner) loaded: usize,
    pub(in crate::queue::owner) bytes: usize,
    pub(in crate::queue::owner) ids: usize,
}

impl<P> Chain<P> {
    pub(in crate::queue::owner) fn new(key: Option<Arc<str>>) -> Self {
        Self { key, state: Head::Unloaded, tries: 0, loaded: VecDeque::new(), ids: VecDeque::new(), bytes: 0, loads: Loads::Idle }
    }

    pub(in crate::queue::owner) fn head(&self) -> Option<EntryId> {
        self.loaded.front().map(|entry| entry.id).or_else(|| self.ids.front().copied())
    }

    /// The head, if it has content.
    pub(in crate::queue::owner) fn content(&self) -> Option<&Loaded<P>> {
        self.loaded.front()
    }

    /// The first entry without content.
    pub(in crate::queue::owner) fn first_unloaded(&self) -> Option<EntryId> {
        self.ids.front().copied()
    }

    /// The first entries without content, at most this number.
    pub(in crate::queue::owner) fn unloaded(&self, most: usize) -> impl Iterator<Item = EntryId> {
        self.ids.iter().take(most).copied()
    }

    pub(in crate::queue::owner) fn size(&self) -> Size {
        Size { loaded: self.loaded.len(), bytes: self.bytes, ids: self.ids.len() }
    }

    /// Appends an entry. Its content is dropped if the chain is blocked, if the one before it has none, or if the chain has `most` with content.
    pub(in crate::queue::owner) fn append(&mut self, entry: Loaded<P>, most: usize) {
        if self.is_blocked() || !self.ids.is_empty() || self.loaded.len() >= most {
            self.ids.push_back(entry.id);
        } else {
            self.push(entry);
        }
    }

    /// Appends an entry that has no content.
    pub(in crate::queue::owner) fn append_id(&mut self, id: EntryId) {
        self.ids.push_back(id);
    }

    /// Adds the content of an entry, if it is the first without and may have one.
    pub(in crate::queue::owner) fn load(&mut self, entry: Loaded<P>) {
        if self.first_unloaded() == Some(entry.id) && !self.is_blocked() {
            self.ids.pop_front();
            self.push(entry);
        }
    }

    fn push(&mut self, entry: Loaded<P>) {
        if self.loaded.is_empty() {
            self.tries = self.tries.max(entry.tries);
        }
        self.bytes += entry.bytes;
        self.loaded.push_back(entry);
    }

    /// Drops all content.
    pub(in crate::queue::owner) fn unload(&mut self) {
        for entry in std::mem::take(&mut self.loaded).into_iter().rev() {
            self.ids.push_front(entry.id);
        }
        self.bytes = 0;
    }

    /// Removes the head.
    pub(in crate::queue::owner) fn advance(&mut self) {
        match self.loaded.pop_front() {
            Some(entry) => self.bytes -= entry.bytes,
            None => {
                self.ids.pop_front();
            }
        }
        self.tries = self.loaded.front().map_or(0, |next| next.tries);
        self.state = Head::Unloaded;
    }

    /// Removes an entry that was deleted, if it is the first without content.
    pub(in crate::queue::owner) fn skip(&mut self, id: EntryId) {
        if self.first_unloaded() == Some(id) {
            if self.loaded.is_empty() {
                self.advance();
            } else {
                self.ids.pop_front();
            }
        }
    }

    /// Whether its entries have to wait for something other than a consumer.
    pub(in crate::queue::owner) fn is_blocked(&self) -> bool {
        match &self.state {
            Head::Waiting(_) => true,
            Head::DeadLetterDue(cause) | Head::MovingToDeadLetters(cause) => cause.refused == Refused::Once,
            Head::Unloaded | Head::Ready(_) | Head::Handed | Head::Sent(_) => false,
        }
    }

    /// When something happens to its head by itself.
    pub(in crate::queue::owner) fn timer(&self) -> Option<Tick> {
        match self.state {
            Head::Ready(at) => at,
            Head::Sent(at) | Head::Waiting(at) => Some(at),
            Head::Unloaded | Head::Handed | Head::DeadLetterDue(_) | Head::MovingToDeadLetters(_) => None,
        }
    }
}
