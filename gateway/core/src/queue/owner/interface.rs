//! What goes into a backlog and what comes out: requests to the store with their answers, and reports about deliveries.

use crate::queue::{EntryId, ReadLimits};
use std::time::Duration;

/// Names a delivery in the reports about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Distinguishes the ownerships of one task. Reports of an earlier one have no effect.
    pub(super) generation: u64,
    /// The entry.
    pub entry: EntryId,
    /// The number of the try, from 1. A delivery that was reported as [`Report::NotSent`] is none, so the next one has the same number.
    pub attempt: u32,
}

impl Ticket {
    /// The ownership to which it belongs.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// What became of a delivery. Each delivery gets one of the last four. A delivery without any report stays with its consumer for ever, and its key waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It was written to the consumer. The time in which it has to be acknowledged begins.
    Sent,
    /// The consumer acknowledged it.
    Done,
    /// The consumer refused it.
    Failed {
        /// Whether another try can succeed. Otherwise the entry becomes a dead letter.
        temporary: bool,
        /// The shortest pause before the next try that the consumer asks for.
        retry_after: Option<Duration>,
        /// What went wrong, for people; at most 1 KiB of it are kept.
        detail: Box<str>,
    },
    /// It was written to the consumer, then the link broke. That is a try, and the next one comes at once.
    Lost,
    // NL-8.7
    /// It was not written: there is no consumer, or no credit, or a breaker is open. That is no try.
    NotSent,
}

/// Something to read from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Pending entries behind this one.
    Pending {
        /// None: from the first.
        after: Option<EntryId>,
        /// How much.
        limits: ReadLimits,
    },
    /// New entries.
    New {
        /// How much.
        limits: ReadLimits,
    },
    /// The content of these entries.
    Load {
        /// The entries.
        ids: Vec<EntryId>,
        /// How much.
        limits: ReadLimits,
    },
}

/// An entry that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadEntry<P> {
    /// Its id.
    pub id: EntryId,
    /// Number of its tries, as the store knows it.
    pub tries: u32,
    /// Its content.
    pub content: Content<P>,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<P> {
    /// Something to deliver.
    Event {
        /// Entries with the same key keep their order. Empty: it has none.
        key: Box<str>,
        /// Its size in bytes.
        bytes: usize,
        /// Until when it may be delivered, by the clock of the store, in milliseconds since 1970. None: for ever.
        expires_ms: Option<u64>,
        /// What is delivered.
        payload: P,
    },
    /// It can never be delivered: why, for people.
    Malformed(Box<str>),
    /// It was deleted.
    Gone,
}
