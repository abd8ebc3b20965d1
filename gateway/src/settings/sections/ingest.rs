//! The table of ingest.

use super::{MIB, size};
use crate::settings::{reader::section, types::value::ByteSize};

section! {
    /// `[ingest]`: publications that services put into streams (Redis broker only).
    Ingest {
        /// Patterns of the channels that ingest may publish into. Empty: ingest is off.
        channels: Vec<String>,
        /// Number of partitions.
        partitions: u16 = 1..=256,
        /// Number of entries in one read.
        batch: usize = 1..=10_000,
        /// Largest size of an entry; 0: what a publication may have.
        entry_bytes: ByteSize = size(0)..=size(64 * MIB),
        /// Limit of the dead letters of a partition; at the limit no further entry becomes one.
        max_dead: u32 = 1..=10_000_000,
    }
}
