//! Limits and time.

use std::time::Duration;
use tokio::time::Instant;

/// The limits of queues in memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// The time of a lease.
    pub lease: Duration,
    /// Number of entries of a partition.
    pub max_length: usize,
    /// Number of dead letters of a partition.
    pub max_dead: usize,
    /// Bytes of all entries, dead letters and remembered events together. An entry counts what it was sent with, and 256 bytes.
    pub memory_bytes: usize,
}

/// The time, by both clocks.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    /// The clock of the store, in milliseconds since 1970.
    pub(super) ms: u64,
}
