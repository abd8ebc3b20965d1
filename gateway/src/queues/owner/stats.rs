//! Counters of the owner of a partition.

use gateway_core::{
    model::lock,
    queue::{
        DeadReason,
        owner::{Backlog, OwnerCount},
    },
};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// What the owner of a partition counts, and its state.
#[derive(Debug, Default)]
pub struct OwnerStats {
    counts: [AtomicU64; OwnerCount::ALL.len()],
    dead_lettered: [AtomicU64; DeadReason::ALL.len()],
    owned: AtomicBool,
    blocked_keys: AtomicU64,
    dead_letters_full: AtomicBool,
    waits: AtomicBool,
    waits_for: Mutex<Option<Box<str>>>,
}

impl OwnerStats {
    /// How often this happened since the process began.
    pub fn counted(&self, what: OwnerCount) -> u64 {
        self.counts[what as usize].load(Relaxed)
    }

    /// Number of entries that became dead letters for this reason since the process began.
    pub fn dead_lettered(&self, reason: DeadReason) -> u64 {
        self.dead_lettered[reason as usize].load(Relaxed)
    }

    /// Whether this node owns the partition.
    pub fn owned(&self) -> bool {
        self.owned.load(Relaxed)
    }

    /// Number of keys that wait for another try, or for a place among the dead letters. An entry without a key counts as a key.
    pub fn blocked_keys(&self) -> u64 {
        self.blocked_keys.load(Relaxed)
    }

    /// Whether entries wait for a place among the dead letters, so that their keys wait until an operator makes room.
    pub fn dead_letters_full(&self) -> bool {
        self.dead_letters_full.load(Relaxed)
    }

    /// The key that has most entries, while the partition reads nothing more because of keys that wait. Empty: an entry without a key.
    pub fn waits_for(&self) -> Option<Box<str>> {
        lock(&self.waits_for).clone()
    }

    pub(super) fn add(&self, what: OwnerCount, number: u64) {
        self.counts[what as usize].fetch_add(number, Relaxed);
    }

    pub(super) fn add_dead_lettered(&self, reason: DeadReason) {
        self.dead_lettered[reason as usize].fetch_add(1, Relaxed);
    }

    /// This node became the owner.
    pub(super) fn begin(&self) {
        self.owned.store(true, Relaxed);
    }

    /// This node is not the owner any more.
    pub(super) fn end(&self) {
        self.owned.store(false, Relaxed);
        self.blocked_keys.store(0, Relaxed);
        self.dead_letters_full.store(false, Relaxed);
        self.set_waits_for(None);
    }

    /// Takes what the backlog counted, and its state.
    pub(super) fn take<P: Clone>(&self, backlog: &mut Backlog<P>) {
        backlog.take_counts().for_each(|(what, number)| self.add(what, number));
        self.blocked_keys.store(backlog.blocked_keys() as u64, Relaxed);
        self.dead_letters_full.store(backlog.dead_letters_full(), Relaxed);
        self.set_waits_for(backlog.waits_for());
    }

    fn set_waits_for(&self, key: Option<&str>) {
        let waits = self.waits.swap(key.is_some(), Relaxed);
        if waits || key.is_some() {
            *lock(&self.waits_for) = key.map(Into::into);
        }
    }
}
