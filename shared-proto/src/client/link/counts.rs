//! What a set of links is doing, in numbers.

use std::sync::atomic::AtomicU64;

/// Numbers since the start, read and written relaxed.
#[derive(Debug, Default)]
pub struct Counts {
    /// Links that were welcomed.
    pub welcomed: AtomicU64,
    /// Attempts to connect that failed, and links that were lost.
    pub lost: AtomicU64,
    /// Calls that were answered, failures included.
    pub answered: AtomicU64,
    /// Calls whose answer was no longer wanted: cancelled, past their deadline, or their link was lost.
    pub abandoned: AtomicU64,
    /// Calls beyond the credit, refused.
    pub beyond_credit: AtomicU64,
    /// Events that were handled.
    pub events: AtomicU64,
    /// Events dropped: beyond the credit, or their link was lost.
    pub events_dropped: AtomicU64,
    /// Frames that could not be read; each costs its link.
    pub malformed: AtomicU64,
    /// Frames of a kind that this version does not know, passed over.
    pub unknown: AtomicU64,
    /// Publications that a node took.
    pub published: AtomicU64,
    /// Publications sent again.
    pub resent: AtomicU64,
    /// Publications that a node refused for good.
    pub refused: AtomicU64,
    /// Publications past their deadline.
    pub expired: AtomicU64,
}
