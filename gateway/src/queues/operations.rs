//! What operators do with queues: look, pause, delete entries, replay dead letters.

use super::store::QueueStore;
use futures_util::future::try_join_all;
use gateway_core::{
    model::{ErrorCode, Refusal},
    queue::{DeadLetterId, EntryId, PartitionId, PartitionStatus, QueueName, ReadLimits, StoredDeadLetter},
};
use std::{collections::BTreeMap, sync::Arc};

/// Largest size of one dead letter in an answer, in bytes. Of a larger one only the size is shown.
const LETTER_BYTES: usize = 256 << 10;

/// The queues of the settings, for operators.
pub struct QueueOperations<S> {
    store: Arc<S>,
    /// The number of partitions of each queue.
    partitions: BTreeMap<QueueName, u16>,
}

impl<S: QueueStore> QueueOperations<S> {
    /// The operations on these queues, each with its number of partitions.
    pub fn new(store: Arc<S>, partitions: BTreeMap<QueueName, u16>) -> Self {
        Self { store, partitions }
    }

    /// The queues of the settings.
    pub fn queues(&self) -> impl Iterator<Item = &QueueName> {
        self.partitions.keys()
    }

    /// The state of each partition, by number.
    pub async fn status(&self, queue: &QueueName) -> Result<Vec<PartitionStatus>, Refusal> {
        let each = self.all(queue)?.map(async |partition| self.store.status(&partition).await);
        Ok(try_join_all(each).await?)
    }

    /// Pauses the deliveries of all partitions, or ends the pause. After an error, some partitions may have changed.
    pub async fn set_paused(&self, queue: &QueueName, paused: bool) -> Result<(), Refusal> {
        let each = self.all(queue)?.map(async |partition| self.store.set_paused(&partition, paused).await);
        try_join_all(each).await?;
        Ok(())
    }

    /// Deletes the entries that wait. Refused, and nothing changes, if more than `most` wait. Returns how many it deleted, which is at most `most`.
    pub async fn delete_entries(&self, queue: &QueueName, most: u64) -> Result<u64, Refusal> {
        let statuses = self.status(queue).await?;
        let depth: u64 = statuses.iter().map(|status| status.depth).sum();
        if depth > most {
            let detail = format!(
                "{depth} entries wait, which is more than `count`, so nothing was deleted. Repeat the request with count={depth} to delete them."
            );
            return Err(Refusal::new(ErrorCode::MoreEntries, detail));
        }
        let mut deleted = 0;
        for (partition, status) in self.all(queue)?.zip(statuses) {
            if status.depth > 0 {
                deleted += self.store.purge(&partition, status.depth).await?;
            }
        }
        Ok(deleted)
    }

    /// Dead letters behind `after`, at most `limit` (at least 1) and about `bytes` bytes of them.
    pub async fn dead_letters(
        &self,
        queue: &QueueName,
        after: Option<DeadLetterId>,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<(DeadLetterId, StoredDeadLetter)>, Refusal> {
        let (mut found, mut size) = (Vec::new(), 0);
        for partition in self.all(queue)?.skip(after.map_or(0, |after| after.partition.into())) {
            let mut behind = after.filter(|after| after.partition == partition.partition).map(|after| after.id);
            while found.len() < limit && size < bytes {
                let limits = ReadLimits { entries: limit - found.len(), bytes: bytes - size, entry_bytes: LETTER_BYTES };
                let page = self.store.dead_letters(&partition, behind, limits).await?;
                let Some(last) = page.last() else { break };
                behind = Some(last.id);
                for letter in page {
                    size += letter.fields.bytes();
                    found.push((DeadLetterId { partition: partition.partition, id: letter.id }, letter));
                }
            }
        }
        Ok(found)
    }

    /// One dead letter.
    pub async fn dead_letter(&self, queue: &QueueName, id: DeadLetterId) -> Result<StoredDeadLetter, Refusal> {
        let partition = self.partition(queue, id)?;
        self.store.dead_letter(&partition, id.id).await?.ok_or_else(|| no_dead_letter(id))
    }

    /// Puts a dead letter back into its queue, behind all entries that wait.
    pub async fn replay(&self, queue: &QueueName, id: DeadLetterId) -> Result<(), Refusal> {
        let partition = self.partition(queue, id)?;
        if self.store.replay(&partition, id.id).await? { Ok(()) } else { Err(no_dead_letter(id)) }
    }

    /// Deletes a dead letter.
    pub async fn drop_dead(&self, queue: &QueueName, id: DeadLetterId) -> Result<(), Refusal> {
        let partition = self.partition(queue, id)?;
        if self.store.drop_dead(&partition, id.id).await? { Ok(()) } else { Err(no_dead_letter(id)) }
    }

    fn count(&self, queue: &QueueName) -> Result<u16, Refusal> {
        self.partitions.get(queue).copied().ok_or_else(|| match queue {
            QueueName::Service(service) => {
                let detail = format!("{service} has no queue. Set services.{service}.events to \"queue\".");
                Refusal::new(ErrorCode::NotFound, detail)
            }
            QueueName::Ingest => Refusal::new(ErrorCode::NotFound, "Ingest is off. Set ingest.channels to what may be published so."),
        })
    }

    fn all(&self, queue: &QueueName) -> Result<impl Iterator<Item = PartitionId> + use<'_, S>, Refusal> {
        let (count, queue) = (self.count(queue)?, queue.clone());
        Ok((0..count).map(move |partition| PartitionId { queue: queue.clone(), partition }))
    }

    fn partition(&self, queue: &QueueName, id: DeadLetterId) -> Result<PartitionId, Refusal> {
        if id.partition >= self.count(queue)? {
            return Err(no_dead_letter(id));
        }
        Ok(PartitionId { queue: queue.clone(), partition: id.partition })
    }
}

/// The age of an entry.
pub fn age_ms(oldest: EntryId, now_ms: u64) -> u64 {
    now_ms.saturating_sub(oldest.ms)
}

fn no_dead_letter(id: DeadLetterId) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("There is no dead letter {id}: it was replayed or dropped, or never existed."))
}
