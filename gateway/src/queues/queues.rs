//! The store of queues that the settings choose.

use super::{
    memory::MemoryQueues,
    store::{Owned, Ownership, QueueStore},
};
use crate::broker::{BrokerError, RedisQueues};
use futures_util::future::Either;
use gateway_core::queue::{
    DeadLetter, DeadLettered, Enqueued, EntryId, NewEntry, OwnerId, PartitionId, PartitionStatus, RawEntry, ReadLimits, StoredDeadLetter,
};
use std::{sync::Arc, time::Duration};

/// The store of queues that the settings choose. An enum, so that its methods need no boxed futures.
pub enum Queues {
    /// In this process. For a single node; entries end with it.
    Memory(MemoryQueues),
    /// In Redis, which all nodes of a cluster share.
    Redis(Arc<RedisQueues>),
}

/// Calls a method of the chosen store.
macro_rules! each {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self {
            Queues::Memory(queues) => QueueStore::$method(queues, $($argument),*),
            Queues::Redis(queues) => QueueStore::$method(queues.as_ref(), $($argument),*),
        }
    };
    ($self:ident, $method:ident($($argument:expr),*).await) => {
        match $self {
            Queues::Memory(queues) => QueueStore::$method(queues, $($argument),*).await,
            Queues::Redis(queues) => QueueStore::$method(queues.as_ref(), $($argument),*).await,
        }
    };
}

impl QueueStore for Queues {
    async fn hand_over(
        &self,
        partition: &PartitionId,
        entry: NewEntry,
    ) -> Result<impl Future<Output = Result<Enqueued, BrokerError>> + Send + 'static, BrokerError> {
        match self {
            Self::Memory(queues) => Ok(Either::Left(queues.hand_over(partition, entry).await?)),
            Self::Redis(queues) => Ok(Either::Right(queues.hand_over(partition, entry).await?)),
        }
    }

    async fn acquire(&self, partition: &PartitionId, owner: &OwnerId) -> Result<Option<Ownership>, BrokerError> {
        each!(self, acquire(partition, owner).await)
    }

    async fn renew(&self, partition: &PartitionId, owner: &OwnerId) -> Owned<Ownership> {
        each!(self, renew(partition, owner).await)
    }

    async fn release(&self, partition: &PartitionId, owner: &OwnerId) -> Owned<()> {
        each!(self, release(partition, owner).await)
    }

    async fn pending(&self, partition: &PartitionId, owner: &OwnerId, after: Option<EntryId>, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        each!(self, pending(partition, owner, after, limits).await)
    }

    async fn read_new(&self, partition: &PartitionId, owner: &OwnerId, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        each!(self, read_new(partition, owner, limits).await)
    }

    async fn load(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId], limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        each!(self, load(partition, owner, ids, limits).await)
    }

    async fn arrival(&self, partition: &PartitionId, after: EntryId) {
        each!(self, arrival(partition, after).await);
    }

    async fn acknowledge(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId]) -> Owned<()> {
        each!(self, acknowledge(partition, owner, ids).await)
    }

    async fn record_tries(&self, partition: &PartitionId, owner: &OwnerId, tries: &[(EntryId, u32)]) -> Owned<()> {
        each!(self, record_tries(partition, owner, tries).await)
    }

    async fn move_to_dead_letters(&self, partition: &PartitionId, owner: &OwnerId, letter: &DeadLetter) -> Owned<DeadLettered> {
        each!(self, move_to_dead_letters(partition, owner, letter).await)
    }

    async fn status(&self, partition: &PartitionId) -> Result<PartitionStatus, BrokerError> {
        each!(self, status(partition).await)
    }

    async fn dead_letters(
        &self,
        partition: &PartitionId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> Result<Vec<StoredDeadLetter>, BrokerError> {
        each!(self, dead_letters(partition, after, limits).await)
    }

    async fn dead_letter(&self, partition: &PartitionId, id: EntryId) -> Result<Option<StoredDeadLetter>, BrokerError> {
        each!(self, dead_letter(partition, id).await)
    }

    async fn replay(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        each!(self, replay(partition, id).await)
    }

    async fn drop_dead(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        each!(self, drop_dead(partition, id).await)
    }

    async fn set_paused(&self, partition: &PartitionId, paused: bool) -> Result<(), BrokerError> {
        each!(self, set_paused(partition, paused).await)
    }

    async fn purge(&self, partition: &PartitionId, most: u64) -> Result<u64, BrokerError> {
        each!(self, purge(partition, most).await)
    }

    fn lease(&self) -> Duration {
        each!(self, lease())
    }
}
