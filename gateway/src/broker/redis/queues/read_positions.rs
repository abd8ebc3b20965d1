//! The last entry that this node has read from each partition that it owns.
//!
//! If the answer to a read is lost, its entries are pending in Redis, but no caller has them. The next read names the last entry that the caller has,
//! so that it gets them.

use gateway_core::{
    model::lock,
    queue::{EntryId, OwnerId, PartitionId},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// The last entry that an owner has read. One read at a time holds the lock.
pub(super) type ReadPosition = Arc<tokio::sync::Mutex<Option<EntryId>>>;

/// See the [module](self). It has at most one position for each partition that this node owns.
#[derive(Debug, Default)]
pub(crate) struct ReadPositions(Mutex<BTreeMap<PartitionId, (OwnerId, ReadPosition)>>);

impl ReadPositions {
    /// Records that the owner begins behind this entry. Does nothing if it has begun before.
    pub(super) fn begin(&self, partition: &PartitionId, owner: &OwnerId, last: EntryId) {
        let mut all = lock(&self.0);
        if all.get(partition).is_none_or(|(current, _)| current != owner) {
            all.insert(partition.clone(), (owner.clone(), Arc::new(tokio::sync::Mutex::new(Some(last)))));
        }
    }

    /// The position of this owner. Without a position, the owner did not acquire the partition at this node.
    pub(super) fn of(&self, partition: &PartitionId, owner: &OwnerId) -> ReadPosition {
        let all = lock(&self.0);
        let known = all.get(partition).filter(|(current, _)| current == owner);
        known.map_or_else(ReadPosition::default, |(_, position)| position.clone())
    }

    /// Forgets the position of this owner.
    pub(super) fn end(&self, partition: &PartitionId, owner: &OwnerId) {
        let mut all = lock(&self.0);
        if all.get(partition).is_some_and(|(current, _)| current == owner) {
            all.remove(partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::queue::QueueName;

    #[test]
    fn a_position_belongs_to_its_owner() {
        let (positions, at) = (ReadPositions::default(), PartitionId { queue: QueueName::Ingest, partition: 0 });
        let (one, two, entry) = (OwnerId::new("a"), OwnerId::new("a"), |seq| EntryId { ms: 1, seq });
        let of = |owner| *positions.of(&at, owner).try_lock().expect("free");
        positions.begin(&at, &one, entry(1));
        positions.begin(&at, &one, entry(9));
        assert_eq!((of(&one), of(&two)), (Some(entry(1)), None));
        positions.begin(&at, &two, entry(2));
        assert_eq!((of(&one), of(&two)), (None, Some(entry(2))));
        positions.end(&at, &one);
        assert_eq!(of(&two), Some(entry(2)));
        positions.end(&at, &two);
        assert_eq!(of(&two), None);
    }
}
