//! The store of queues in Redis.

use super::store::{Owned, OwnedError, Ownership, QueueStore};
use crate::broker::{BrokerError, PartitionLease, RedisQueues};
use gateway_core::queue::{
    DeadLetter, DeadLettered, Enqueued, EntryId, NewEntry, OwnerId, PartitionId, PartitionStatus, RawEntry, ReadLimits, StoredDeadLetter,
};
use std::time::Duration;

impl QueueStore for RedisQueues {
    async fn hand_over(
        &self,
        partition: &PartitionId,
        entry: NewEntry,
    ) -> Result<impl Future<Output = Result<Enqueued, BrokerError>> + Send + 'static, BrokerError> {
        self.hand_over(partition, entry).await
    }

    async fn acquire(&self, partition: &PartitionId, owner: &OwnerId) -> Result<Option<Ownership>, BrokerError> {
        Ok(self.acquire(partition, owner).await?.map(Into::into))
    }

    async fn renew(&self, partition: &PartitionId, owner: &OwnerId) -> Owned<Ownership> {
        owned(self.renew(partition, owner).await).map(Into::into)
    }

    async fn release(&self, partition: &PartitionId, owner: &OwnerId) -> Owned<()> {
        owned(self.release(partition, owner).await)
    }

    async fn pending(&self, partition: &PartitionId, owner: &OwnerId, after: Option<EntryId>, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        owned(self.pending(partition, owner, after, limits).await)
    }

    async fn read_new(&self, partition: &PartitionId, owner: &OwnerId, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        owned(self.read_new(partition, owner, limits).await)
    }

    async fn load(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId], limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        owned(self.load(partition, owner, ids, limits).await)
    }

    async fn arrival(&self, partition: &PartitionId, after: EntryId) {
        self.arrival(partition, after).await;
    }

    async fn acknowledge(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId]) -> Owned<()> {
        owned(self.acknowledge(partition, owner, ids).await)
    }

    async fn record_tries(&self, partition: &PartitionId, owner: &OwnerId, tries: &[(EntryId, u32)]) -> Owned<()> {
        owned(self.record_tries(partition, owner, tries).await)
    }

    async fn move_to_dead_letters(&self, partition: &PartitionId, owner: &OwnerId, letter: &DeadLetter) -> Owned<DeadLettered> {
        owned(self.move_to_dead_letters(partition, owner, letter).await)
    }

    async fn status(&self, partition: &PartitionId) -> Result<PartitionStatus, BrokerError> {
        self.status(partition).await
    }

    async fn dead_letters(
        &self,
        partition: &PartitionId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> Result<Vec<StoredDeadLetter>, BrokerError> {
        self.dead_letters(partition, after, limits).await
    }

    async fn dead_letter(&self, partition: &PartitionId, id: EntryId) -> Result<Option<StoredDeadLetter>, BrokerError> {
        self.dead_letter(partition, id).await
    }

    async fn replay(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        self.replay(partition, id).await
    }

    async fn drop_dead(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        self.drop_dead(partition, id).await
    }

    async fn set_paused(&self, partition: &PartitionId, paused: bool) -> Result<(), BrokerError> {
        self.set_paused(partition, paused).await
    }

    async fn purge(&self, partition: &PartitionId, most: u64) -> Result<u64, BrokerError> {
        self.purge(partition, most).await
    }

    fn lease(&self) -> Duration {
        self.lease()
    }
}

impl From<PartitionLease> for Ownership {
    fn from(PartitionLease { epoch, paused, now_ms }: PartitionLease) -> Self {
        Self { epoch, paused, now_ms }
    }
}

/// None means that the caller is not the owner.
fn owned<T>(result: Result<Option<T>, BrokerError>) -> Owned<T> {
    result?.ok_or(OwnedError::NotOwner)
}
