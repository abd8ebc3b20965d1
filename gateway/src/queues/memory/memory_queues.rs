//! The store.

use super::{
    limits::{MemoryLimits, Now},
    partition::Partition,
    stored::Memory,
};
use crate::{
    broker::BrokerError,
    queues::store::{Owned, Ownership, QueueStore},
};
use gateway_core::{
    model::lock,
    queue::{
        DeadLetter, DeadLettered, Enqueued, EntryId, NewEntry, OwnerId, PartitionId, PartitionStatus, RawEntry, ReadLimits,
        StoredDeadLetter,
    },
};
use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Notify, time::Instant};

/// How long [`QueueStore::arrival`] waits at most.
const WAIT: Duration = Duration::from_secs(5);

/// Queues in memory.
pub struct MemoryQueues {
    limits: MemoryLimits,
    memory: Arc<Memory>,
    partitions: Mutex<BTreeMap<PartitionId, Arc<Place>>>,
    start: Instant,
    start_ms: u64,
}

struct Place {
    partition: Mutex<Partition>,
    arrival: Notify,
}

impl MemoryQueues {
    /// Empty queues.
    pub fn new(limits: MemoryLimits) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            limits,
            memory: Arc::new(Memory::new(limits.memory_bytes)),
            partitions: Mutex::default(),
            start: Instant::now(),
            start_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Bytes that are used, as [`MemoryLimits::memory_bytes`] counts them.
    pub fn memory_used(&self) -> usize {
        self.memory.used()
    }

    fn place(&self, partition: &PartitionId) -> Arc<Place> {
        let mut places = lock(&self.partitions);
        if let Some(place) = places.get(partition) {
            return place.clone();
        }
        let new = Partition::new(&self.limits, self.memory.clone());
        let place = Arc::new(Place { partition: Mutex::new(new), arrival: Notify::new() });
        places.insert(partition.clone(), place.clone());
        place
    }

    fn now(&self) -> Now {
        let at = Instant::now();
        Now { at, ms: self.start_ms + u64::try_from(at.duration_since(self.start).as_millis()).unwrap_or(u64::MAX) }
    }

    fn with<R>(&self, partition: &PartitionId, act: impl FnOnce(&mut Partition, Now) -> R) -> R {
        let now = self.now();
        act(&mut lock(&self.place(partition).partition), now)
    }

    fn owned<R>(&self, partition: &PartitionId, owner: &OwnerId, act: impl FnOnce(&mut Partition, Now) -> R) -> Owned<R> {
        self.with(partition, |partition, now| {
            partition.check_owner(owner, now.at)?;
            Ok(act(partition, now))
        })
    }
}

impl QueueStore for MemoryQueues {
    async fn hand_over(
        &self,
        partition: &PartitionId,
        entry: NewEntry,
    ) -> Result<impl Future<Output = Result<Enqueued, BrokerError>> + Send + 'static, BrokerError> {
        let now = self.now();
        let place = self.place(partition);
        let result = lock(&place.partition).enqueue(entry, now);
        place.arrival.notify_waiters();
        Ok(ready(result))
    }

    async fn acquire(&self, partition: &PartitionId, owner: &OwnerId) -> Result<Option<Ownership>, BrokerError> {
        Ok(self.with(partition, |partition, now| partition.acquire(owner, now, self.limits.lease)))
    }

    async fn renew(&self, partition: &PartitionId, owner: &OwnerId) -> Owned<Ownership> {
        self.owned(partition, owner, |partition, now| partition.renew(owner, now, self.limits.lease))
    }

    async fn release(&self, partition: &PartitionId, owner: &OwnerId) -> Owned<()> {
        self.owned(partition, owner, |partition, _| partition.release())
    }

    async fn pending(&self, partition: &PartitionId, owner: &OwnerId, after: Option<EntryId>, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        self.owned(partition, owner, |partition, _| partition.pending(after, limits))
    }

    async fn read_new(&self, partition: &PartitionId, owner: &OwnerId, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        self.owned(partition, owner, |partition, _| partition.read_new(limits))
    }

    async fn load(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId], limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        self.owned(partition, owner, |partition, _| partition.load(ids, limits))
    }

    async fn arrival(&self, partition: &PartitionId, after: EntryId) {
        let place = self.place(partition);
        let arrival = place.arrival.notified();
        if !lock(&place.partition).has_behind(after) {
            let _ = tokio::time::timeout(WAIT, arrival).await;
        }
    }

    async fn acknowledge(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId]) -> Owned<()> {
        self.owned(partition, owner, |partition, _| ids.iter().for_each(|id| partition.delete(*id)))
    }

    async fn record_tries(&self, partition: &PartitionId, owner: &OwnerId, tries: &[(EntryId, u32)]) -> Owned<()> {
        self.owned(partition, owner, |partition, _| tries.iter().for_each(|(id, tries)| partition.record_tries(*id, *tries)))
    }

    async fn move_to_dead_letters(&self, partition: &PartitionId, owner: &OwnerId, letter: &DeadLetter) -> Owned<DeadLettered> {
        self.owned(partition, owner, |partition, now| partition.move_to_dead_letters(letter, now.ms))
    }

    async fn status(&self, partition: &PartitionId) -> Result<PartitionStatus, BrokerError> {
        Ok(self.with(partition, Partition::status))
    }

    async fn dead_letters(
        &self,
        partition: &PartitionId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> Result<Vec<StoredDeadLetter>, BrokerError> {
        Ok(self.with(partition, |partition, _| partition.dead.page(after, limits)))
    }

    async fn dead_letter(&self, partition: &PartitionId, id: EntryId) -> Result<Option<StoredDeadLetter>, BrokerError> {
        Ok(self.with(partition, |partition, _| partition.dead.get(id)))
    }

    async fn replay(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        let now = self.now();
        let place = self.place(partition);
        let replayed = lock(&place.partition).replay(id, now.ms)?;
        place.arrival.notify_waiters();
        Ok(replayed)
    }

    async fn drop_dead(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        Ok(self.with(partition, |partition, _| partition.drop_dead(id)))
    }

    async fn set_paused(&self, partition: &PartitionId, paused: bool) -> Result<(), BrokerError> {
        self.with(partition, |partition, _| partition.is_paused = paused);
        Ok(())
    }

    async fn purge(&self, partition: &PartitionId, most: u64) -> Result<u64, BrokerError> {
        Ok(self.with(partition, |partition, _| partition.purge(most)))
    }

    fn lease(&self) -> Duration {
        self.limits.lease
    }
}
