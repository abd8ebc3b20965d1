//! What operators see of a partition.

use super::EntryId;

/// The state of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Number of entries that are not acknowledged.
    pub depth: u64,
    /// Number of those that the owner has read.
    pub read: u64,
    /// The oldest entry.
    pub oldest: Option<EntryId>,
    /// Number of dead letters.
    pub dead: u64,
    /// The owner, see [`OwnerId::as_str`](super::OwnerId::as_str). None: nobody owns the partition, or the gateways only append to it.
    pub owner: Option<Box<str>>,
    /// Whether deliveries are paused.
    pub paused: bool,
    /// The clock of the store, in milliseconds since 1970.
    pub now_ms: u64,
}
