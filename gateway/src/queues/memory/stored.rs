//! Entries, and the memory that they use.

use gateway_core::queue::{EntryId, NewEntry, StoredFields};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that an entry needs besides its content.
const OVERHEAD: usize = 256;

/// The memory that all partitions may use together.
pub(super) struct Memory {
    most: usize,
    used: AtomicUsize,
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0) }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Takes this number of bytes, if they are left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.most);
        self.used.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

/// An entry.
pub(super) struct Stored {
    pub(super) event: NewEntry,
    /// When the event came.
    pub(super) came_ms: u64,
    pub(super) tries: u32,
}

impl Stored {
    pub(super) fn bytes(&self) -> usize {
        self.event.id.len() + self.event.key.len() + self.event.event.len() + OVERHEAD
    }

    pub(super) fn is_expired(&self, now_ms: u64) -> bool {
        self.event.expires_after.is_some_and(|time| u128::from(self.came_ms) + time.as_millis() <= u128::from(now_ms))
    }

    /// Its fields, if they are not larger than the limit.
    pub(super) fn fields(&self, most: usize) -> StoredFields {
        let fields = StoredFields::Read(self.event.fields(self.came_ms));
        let bytes = fields.bytes();
        if bytes > most { StoredFields::TooLarge(bytes as u64) } else { fields }
    }
}

/// The id behind the last one, as in Redis Streams.
pub(super) fn next_id(last: EntryId, now_ms: u64) -> EntryId {
    if now_ms > last.ms { EntryId { ms: now_ms, seq: 0 } } else { EntryId { ms: last.ms, seq: last.seq + 1 } }
}
