//! A partition.

use super::{
    dead::Dead,
    limits::{MemoryLimits, Now},
    repeats::Repeats,
    stored::{Memory, Stored, next_id},
};
use crate::{
    broker::BrokerError,
    queues::store::{OwnedError, Ownership},
};
use bytes::Bytes;
use gateway_core::queue::{
    DeadLetter, DeadLettered, DeadReason, Enqueued, EntryId, NewEntry, OwnerId, PartitionStatus, RawEntry, ReadLimits, StoredFields,
};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

pub(super) struct Partition {
    max_length: usize,
    memory: Arc<Memory>,
    entries: BTreeMap<EntryId, Stored>,
    /// The last id that was given.
    last: EntryId,
    /// All entries up to this one were handed out as new.
    read: Option<EntryId>,
    /// Number of entries that were handed out.
    pending: usize,
    owner: Option<(OwnerId, Instant)>,
    epoch: u64,
    pub(super) is_paused: bool,
    pub(super) dead: Dead,
    repeats: Repeats,
}

impl Partition {
    pub(super) fn new(limits: &MemoryLimits, memory: Arc<Memory>) -> Self {
        Self {
            max_length: limits.max_length,
            repeats: Repeats::new(memory.clone()),
            memory,
            entries: BTreeMap::new(),
            last: EntryId::default(),
            read: None,
            pending: 0,
            owner: None,
            epoch: 0,
            is_paused: false,
            dead: Dead::new(limits.max_dead),
        }
    }

    // NL-8.9
    pub(super) fn enqueue(&mut self, mut event: NewEntry, now: Now) -> Result<Enqueued, BrokerError> {
        let once = event.once.take();
        self.repeats.forget(now.at);
        if let Some(first) = self.repeats.find(&event.id, once.as_ref())? {
            return Ok(Enqueued::Repeated(first));
        }
        // The caller's buffer may hold more than this event.
        event.event = Bytes::copy_from_slice(&event.event);
        let stored = Stored { event, came_ms: now.ms, tries: 0 };
        let full = BrokerError::QueueFull { length: self.entries.len() as u64 };
        if self.entries.len() >= self.max_length || !self.memory.take(stored.bytes()) {
            return Err(full);
        }
        if !self.repeats.remember(&stored.event.id, once, now.at) {
            self.memory.give_back(stored.bytes());
            return Err(full);
        }
        Ok(Enqueued::Stored(self.append(stored, now.ms)))
    }

    fn append(&mut self, stored: Stored, now_ms: u64) -> EntryId {
        self.last = next_id(self.last, now_ms);
        self.entries.insert(self.last, stored);
        self.last
    }

    // NL-8.5
    pub(super) fn check_owner(&self, owner: &OwnerId, now: Instant) -> Result<(), OwnedError> {
        if self.owner_at(now) == Some(owner) { Ok(()) } else { Err(OwnedError::NotOwner) }
    }

    fn owner_at(&self, now: Instant) -> Option<&OwnerId> {
        self.owner.as_ref().filter(|(_, until)| now < *until).map(|(owner, _)| owner)
    }

    pub(super) fn acquire(&mut self, owner: &OwnerId, now: Now, lease: Duration) -> Option<Ownership> {
        match self.owner_at(now.at) {
            Some(other) if other != owner => return None,
            Some(_) => {}
            None => self.epoch += 1,
        }
        Some(self.renew(owner, now, lease))
    }

    pub(super) fn renew(&mut self, owner: &OwnerId, now: Now, lease: Duration) -> Ownership {
        self.repeats.forget(now.at);
        self.owner = Some((owner.clone(), now.at + lease));
        Ownership { epoch: self.epoch, paused: self.is_paused, now_ms: now.ms }
    }

    pub(super) fn release(&mut self) {
        self.owner = None;
    }

    pub(super) fn pending(&self, after: Option<EntryId>, limits: ReadLimits) -> Vec<RawEntry> {
        let Some(read) = self.read.filter(|read| Some(*read) > after) else { return Vec::new() };
        let from = after.map_or(Unbounded, Excluded);
        let entries = self.entries.range((from, std::ops::Bound::Included(read)));
        bounded(entries.map(|(id, stored)| raw(*id, stored, limits)), limits)
    }

    pub(super) fn read_new(&mut self, limits: ReadLimits) -> Vec<RawEntry> {
        let from = self.read.map_or(Unbounded, Excluded);
        let entries = self.entries.range((from, Unbounded));
        let entries = bounded(entries.map(|(id, stored)| raw(*id, stored, limits)), limits);
        self.pending += entries.len();
        self.read = entries.last().map(|entry| entry.id).or(self.read);
        entries
    }

    pub(super) fn load(&self, ids: &[EntryId], limits: ReadLimits) -> Vec<RawEntry> {
        let gone = |id| RawEntry { id, tries: 0, fields: StoredFields::Gone };
        bounded(ids.iter().map(|id| self.pending_entry(*id).map_or_else(|| gone(*id), |stored| raw(*id, stored, limits))), limits)
    }

    fn pending_entry(&self, id: EntryId) -> Option<&Stored> {
        self.entries.get(&id).filter(|_| Some(id) <= self.read)
    }

    pub(super) fn has_behind(&self, after: EntryId) -> bool {
        self.entries.last_key_value().is_some_and(|(id, _)| *id > after)
    }

    fn remove(&mut self, id: EntryId) -> Option<Stored> {
        let stored = self.entries.remove(&id)?;
        if Some(id) <= self.read {
            self.pending -= 1;
        }
        Some(stored)
    }

    pub(super) fn delete(&mut self, id: EntryId) {
        if self.pending_entry(id).is_some()
            && let Some(stored) = self.remove(id)
        {
            self.memory.give_back(stored.bytes());
        }
    }

    pub(super) fn record_tries(&mut self, id: EntryId, tries: u32) {
        if Some(id) <= self.read
            && let Some(stored) = self.entries.get_mut(&id)
        {
            stored.tries = tries;
        }
    }

    pub(super) fn move_to_dead_letters(&mut self, letter: &DeadLetter, now_ms: u64) -> DeadLettered {
        if self.pending_entry(letter.id).is_none() {
            return DeadLettered::Moved;
        }
        if self.dead.is_full() {
            return DeadLettered::Full;
        }
        if let Some(stored) = self.remove(letter.id) {
            self.dead.add(letter, stored, now_ms);
        }
        DeadLettered::Moved
    }

    pub(super) fn replay(&mut self, id: EntryId, now_ms: u64) -> Result<bool, BrokerError> {
        if self.entries.len() >= self.max_length {
            return Err(BrokerError::QueueFull { length: self.entries.len() as u64 });
        }
        let Some((letter, mut stored)) = self.dead.remove(id) else { return Ok(false) };
        stored.tries = 0;
        if letter.reason == DeadReason::Expired || stored.is_expired(now_ms) {
            stored.event.expires_after = None;
        }
        self.append(stored, now_ms);
        Ok(true)
    }

    pub(super) fn drop_dead(&mut self, id: EntryId) -> bool {
        let removed = self.dead.remove(id);
        removed.as_ref().into_iter().for_each(|(_, stored)| self.memory.give_back(stored.bytes()));
        removed.is_some()
    }

    pub(super) fn purge(&mut self, most: u64) -> u64 {
        self.release();
        let number = self.entries.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        for _ in 0..number {
            if let Some((id, _)) = self.entries.first_key_value()
                && let Some(stored) = self.remove(*id)
            {
                self.memory.give_back(stored.bytes());
            }
        }
        number as u64
    }

    pub(super) fn status(&mut self, now: Now) -> PartitionStatus {
        self.repeats.forget(now.at);
        PartitionStatus {
            depth: self.entries.len() as u64,
            read: self.pending as u64,
            oldest: self.entries.first_key_value().map(|(id, _)| *id),
            dead: self.dead.len() as u64,
            owner: self.owner_at(now.at).map(|owner| owner.as_str().into()),
            paused: self.is_paused,
            now_ms: now.ms,
        }
    }
}

fn raw(id: EntryId, stored: &Stored, limits: ReadLimits) -> RawEntry {
    RawEntry { id, tries: stored.tries, fields: stored.fields(limits.entry_bytes) }
}

/// As many entries from the first as the limits allow.
fn bounded(entries: impl Iterator<Item = RawEntry>, limits: ReadLimits) -> Vec<RawEntry> {
    let mut bytes = 0_usize;
    let mut page = Vec::new();
    for entry in entries.take(limits.entries) {
        bytes = bytes.saturating_add(entry.fields.bytes());
        if bytes > limits.bytes && !page.is_empty() {
            break;
        }
        page.push(entry);
    }
    page
}
