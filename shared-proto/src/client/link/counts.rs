//! Counters of a link client.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start. They are read and written with relaxed ordering.
#[derive(Debug, Default)]
pub struct Counts {
    /// Links that a node welcomed.
    pub welcomed: AtomicU64,
    /// Failed attempts to connect, and lost links.
    pub failed: AtomicU64,
    /// Answered calls, including those that the service answered with an error.
    pub answered: AtomicU64,
    /// Calls that were cancelled, whose deadline passed, or whose link was lost before the answer.
    pub abandoned: AtomicU64,
    /// Calls that were refused because no credit was left.
    pub refused_no_credit: AtomicU64,
    /// Handled events.
    pub events: AtomicU64,
    /// Events dropped because no credit was left, or because their link was lost.
    pub events_dropped: AtomicU64,
    /// Frames that could not be decoded. Each closes its link.
    pub malformed: AtomicU64,
    /// Frames of a kind that this version does not know. They are ignored.
    pub unknown: AtomicU64,
    /// Publications that a node acknowledged.
    pub published: AtomicU64,
    /// Publications that were sent again.
    pub resent: AtomicU64,
    /// Publications that a node refused permanently.
    pub refused: AtomicU64,
    /// Publications whose deadline passed.
    pub expired: AtomicU64,
}

pub(super) fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
