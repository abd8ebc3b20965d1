//! What an owner asks the store for. A request is repeated until the store answers.

use super::{held_lease::HeldLease, pause::Pause, stats::OwnerStats};
use crate::{
    broker::BrokerError,
    queues::store::{Owned, OwnedError, QueueStore},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use gateway_core::queue::{
    DeadLetter, DeadLettered, EntryId, OwnerId, PartitionId, QueuedEvent, RawEntry, StoredFields,
    owner::{Content, OwnerCount, Read, ReadEntry},
};
use std::sync::Arc;
use tokio::time::sleep;

/// This node does not own the partition any more.
#[derive(Debug)]
pub(super) struct NotOwner;

/// What is delivered of an entry.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) id: Box<str>,
    pub(super) event: Bytes,
}

/// The store did not answer a read.
#[derive(Debug)]
pub(super) struct Unread;

pub(super) type ReadResult = Result<Result<Vec<ReadEntry<Payload>>, Unread>, NotOwner>;

/// The requests of one ownership.
pub(super) struct Requests<S> {
    store: Arc<S>,
    partition: PartitionId,
    owner: OwnerId,
    stats: Arc<OwnerStats>,
}

impl<S> Clone for Requests<S> {
    fn clone(&self) -> Self {
        let Self { store, partition, owner, stats } = self;
        Self { store: store.clone(), partition: partition.clone(), owner: owner.clone(), stats: stats.clone() }
    }
}

impl<S: QueueStore> Requests<S> {
    pub(super) fn new(held_lease: &HeldLease<S>, stats: Arc<OwnerStats>) -> Self {
        Self { store: held_lease.store().clone(), partition: held_lease.partition().clone(), owner: held_lease.owner().clone(), stats }
    }

    /// Reads entries, once. After an error it pauses first.
    pub(super) fn read(&self, read: Read, mut pause: Pause) -> BoxFuture<'static, (ReadResult, Pause)> {
        let Self { store, partition, owner, stats } = self.clone();
        Box::pin(async move {
            let entries = match &read {
                Read::Pending { after, limits } => store.pending(&partition, &owner, *after, *limits).await,
                Read::New { limits } => store.read_new(&partition, &owner, *limits).await,
                Read::Load { ids, limits } => store.load(&partition, &owner, ids, *limits).await.and_then(not_empty),
            };
            match entries {
                Ok(entries) => (Ok(Ok(entries.into_iter().map(entry).collect())), Pause::default()),
                Err(OwnedError::NotOwner) => (Err(NotOwner), pause),
                Err(OwnedError::Broker(error)) => {
                    failed(&partition, &stats, &error);
                    sleep(pause.next()).await;
                    (Ok(Err(Unread)), pause)
                }
            }
        })
    }

    /// Deletes entries that are done, then stores tries. Returns the number of the former.
    pub(super) fn write(&self, done: Vec<EntryId>, tried: Vec<(EntryId, u32)>) -> BoxFuture<'static, Result<usize, NotOwner>> {
        let this = self.clone();
        Box::pin(async move {
            let Self { store, partition, owner, .. } = &this;
            let mut pause = Pause::default();
            let mut acknowledged = done.is_empty();
            while !acknowledged {
                acknowledged = this.answered(store.acknowledge(partition, owner, &done).await, &mut pause).await?.is_some();
            }
            let mut recorded = tried.is_empty();
            while !recorded {
                recorded = this.answered(store.record_tries(partition, owner, &tried).await, &mut pause).await?.is_some();
            }
            Ok(done.len())
        })
    }

    /// Makes an entry a dead letter.
    pub(super) fn move_to_dead_letters(&self, letter: DeadLetter) -> BoxFuture<'static, Result<(DeadLetter, DeadLettered), NotOwner>> {
        let this = self.clone();
        Box::pin(async move {
            let Self { store, partition, owner, .. } = &this;
            let mut pause = Pause::default();
            loop {
                if let Some(dead_lettered) = this.answered(store.move_to_dead_letters(partition, owner, &letter).await, &mut pause).await? {
                    return Ok((letter, dead_lettered));
                }
            }
        })
    }

    /// Waits until there may be new entries.
    pub(super) fn arrival(&self, after: EntryId) -> BoxFuture<'static, ()> {
        let Self { store, partition, .. } = self.clone();
        Box::pin(async move { store.arrival(&partition, after).await })
    }

    /// None: the store did not answer, and the request has to be repeated now.
    async fn answered<T>(&self, answer: Owned<T>, pause: &mut Pause) -> Result<Option<T>, NotOwner> {
        match answer {
            Ok(done) => Ok(Some(done)),
            Err(OwnedError::NotOwner) => Err(NotOwner),
            Err(OwnedError::Broker(error)) => {
                failed(&self.partition, &self.stats, &error);
                sleep(pause.next()).await;
                Ok(None)
            }
        }
    }
}

fn failed(partition: &PartitionId, stats: &OwnerStats, error: &BrokerError) {
    stats.add(OwnerCount::StoreErrors, 1);
    tracing::debug!(%partition, %error, "a request of the owner of a partition failed and is repeated");
}

/// A store that has nothing to say about entries is asked again, but not at once.
fn not_empty(entries: Vec<RawEntry>) -> Owned<Vec<RawEntry>> {
    if entries.is_empty() { Err(BrokerError::Unavailable("the store returned no entry of several".into()).into()) } else { Ok(entries) }
}

fn entry(RawEntry { id, tries, fields }: RawEntry) -> ReadEntry<Payload> {
    let bytes = fields.bytes();
    let content = match (QueuedEvent::read(&fields), fields) {
        (_, StoredFields::Gone) => Content::Gone,
        (Err(why), _) => Content::Malformed(why.into()),
        (Ok(QueuedEvent { id, key, event, expires_ms }), _) => Content::Event { key, bytes, expires_ms, payload: Payload { id, event } },
    };
    ReadEntry { id, tries, content }
}
