//! Counters of ingest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Something that ingest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestCount {
    /// Entries that were published.
    Published,
    /// Entries that were published before: by their idempotency key, by their id, or by the number of their producer.
    Repeated,
    /// Publishes that failed and are sent again.
    Retried,
    /// Entries that became dead letters because their fields are wrong or too large.
    Malformed,
    /// Entries that became dead letters because the gateway refused the publication.
    Unpublishable,
    /// Ownerships that ended because a channel knew a newer owner.
    Stale,
}

impl IngestCount {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Published, Self::Repeated, Self::Retried, Self::Malformed, Self::Unpublishable, Self::Stale];

    /// The label in metrics.
    pub fn result(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Repeated => "repeated",
            Self::Retried => "retried",
            Self::Malformed => "malformed",
            Self::Unpublishable => "unpublishable",
            Self::Stale => "stale",
        }
    }
}

/// What ingest counts, for all partitions of this node.
#[derive(Debug, Default)]
pub struct IngestStats {
    counts: [AtomicU64; IngestCount::ALL.len()],
    dead_letters_full: AtomicBool,
    owned: AtomicU64,
}

impl IngestStats {
    /// How often this happened since the process began.
    pub fn counted(&self, what: IngestCount) -> u64 {
        self.counts[what as usize].load(Relaxed)
    }

    /// Whether the last entry that had to become a dead letter found no place, so that its channel waits until an operator makes room.
    pub fn dead_letters_full(&self) -> bool {
        self.dead_letters_full.load(Relaxed)
    }

    /// Number of partitions that this node owns.
    pub fn owned(&self) -> u64 {
        self.owned.load(Relaxed)
    }

    pub(super) fn begin_ownership(&self) {
        self.owned.fetch_add(1, Relaxed);
    }

    pub(super) fn end_ownership(&self) {
        self.owned.fetch_sub(1, Relaxed);
    }

    pub(super) fn count(&self, what: IngestCount) {
        self.counts[what as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn set_dead_letters_full(&self, is_full: bool) {
        self.dead_letters_full.store(is_full, Relaxed);
    }
}
