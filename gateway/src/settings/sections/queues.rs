//! The table of queues.

use super::{GIB, KIB, MIB, MINUTE, SECOND, millis, size};
use crate::settings::{reader::section, types::value::ByteSize};
use std::time::Duration;

section! {
    /// `[queues]`: queues of events for services, and of publications from services.
    Queues {
        /// A node that does not renew its lease of a partition within this time loses the partition.
        lease: Duration = SECOND..=10 * MINUTE,
        /// Number of entries that the owner of a partition reads ahead.
        window: usize = 1..=100_000,
        /// Limit of the bytes of these entries. One entry may be larger.
        window_bytes: ByteSize = size(64 * KIB)..=size(GIB),
        /// Number of entries behind the failed entry of their key whose ids the owner of a partition keeps.
        blocked_ids: usize = 100..=10_000_000,
        /// Limit of the entries of a partition; a further one is refused.
        max_length: u32 = 1..=100_000_000,
        /// Limit of the dead letters of a partition; at the limit no further entry becomes one.
        max_dead: u32 = 1..=10_000_000,
        /// Number of replicas of Redis that have an event before it is accepted, and before it is delivered (Redis broker only).
        replicas: u32 = 0..=16,
        /// Longest time in which a master waits for them (Redis broker only).
        replica_timeout: Duration = millis(10)..=MINUTE,
        /// Limit of the bytes of all entries and dead letters together (memory broker only).
        memory_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
    }
}
