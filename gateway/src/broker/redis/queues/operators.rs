//! What operators do with a partition.

use super::{answers, redis_queues::RedisQueues};
use crate::broker::{
    BrokerError,
    redis::{
        commands::job::Resend,
        schema::scripts::{SCRIPTS, call},
    },
};
use gateway_core::queue::{EntryId, PartitionId, PartitionStatus, ReadLimits, StoredDeadLetter};
use redis::{Cmd, cmd};

/// Limits of one read of dead letters.
const READ_ENTRIES: usize = 1000;
const READ_BYTES: usize = 4 << 20;
/// Number of entries that one step of a purge deletes. The script reads them.
const PURGE_STEP: u64 = 64;

impl RedisQueues {
    /// The state of a partition.
    pub(crate) async fn status(&self, partition: &PartitionId) -> Result<PartitionStatus, BrokerError> {
        let keys = [
            self.keys.queue_entries(partition),
            self.keys.queue_dead(partition),
            self.keys.queue_owner(partition),
            self.keys.queue_paused(partition),
        ];
        answers::status(self.run(partition, call(&SCRIPTS.queue_status, &keys), Resend::Safe).await?)
    }

    /// Dead letters in the order of ids, those behind `after`.
    pub(crate) async fn dead_letters(
        &self,
        partition: &PartitionId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> Result<Vec<StoredDeadLetter>, BrokerError> {
        let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        self.read_dead(partition, &from, "+", limits).await
    }

    /// One dead letter.
    pub(crate) async fn dead_letter(&self, partition: &PartitionId, id: EntryId) -> Result<Option<StoredDeadLetter>, BrokerError> {
        let (id, limits) = (id.to_string(), ReadLimits { entries: 1, bytes: READ_BYTES, entry_bytes: READ_BYTES });
        Ok(self.read_dead(partition, &id, &id, limits).await?.pop())
    }

    async fn read_dead(
        &self,
        partition: &PartitionId,
        from: &str,
        to: &str,
        limits: ReadLimits,
    ) -> Result<Vec<StoredDeadLetter>, BrokerError> {
        let mut cmd = call(&SCRIPTS.queue_dead, &[self.keys.queue_dead(partition)]);
        cmd.arg(from).arg(to).arg(limits.entries.clamp(1, READ_ENTRIES)).arg(limits.bytes.min(READ_BYTES)).arg(limits.entry_bytes);
        answers::dead_letters(self.run(partition, cmd, Resend::Safe).await?)
    }

    /// Puts a dead letter at the end of its partition, with the id and the key of its event. False: there is no such dead letter.
    pub(crate) async fn replay(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        let mut cmd = call(&SCRIPTS.queue_replay, &[self.keys.queue_entries(partition), self.keys.queue_dead(partition)]);
        cmd.arg(id.to_string()).arg(self.config.max_length);
        answers::replayed(self.change(partition, cmd).await?)
    }

    /// Deletes a dead letter. False: there is none.
    pub(crate) async fn drop_dead(&self, partition: &PartitionId, id: EntryId) -> Result<bool, BrokerError> {
        let mut delete = cmd("XDEL");
        delete.arg(self.keys.queue_dead(partition)).arg(id.to_string());
        Ok(answers::count(self.change(partition, delete).await?)? > 0)
    }

    /// Pauses the deliveries of a partition, or ends the pause. The owner learns of it with its next renewal.
    pub(crate) async fn set_paused(&self, partition: &PartitionId, paused: bool) -> Result<(), BrokerError> {
        let key = self.keys.queue_paused(partition);
        let mut command = cmd(if paused { "SET" } else { "DEL" });
        command.arg(key);
        if paused {
            command.arg("1");
        }
        self.run(partition, command, Resend::Safe).await.map(drop)
    }

    /// Deletes at most `most` of the oldest entries and ends the ownership. Returns how many it deleted. After an error, it may have deleted some.
    pub(crate) async fn purge(&self, partition: &PartitionId, most: u64) -> Result<u64, BrokerError> {
        let keys = [self.keys.queue_entries(partition), self.keys.queue_owner(partition)];
        let mut deleted = 0;
        loop {
            let step = (most - deleted).min(PURGE_STEP);
            let mut cmd = call(&SCRIPTS.queue_purge, &keys);
            cmd.arg(step);
            let count = answers::count(self.change(partition, cmd).await?)?;
            deleted += count;
            if count < step || deleted >= most {
                return Ok(deleted);
            }
        }
    }

    /// Runs a command whose repeat would do something else, or would have another answer.
    async fn change(&self, partition: &PartitionId, cmd: Cmd) -> Result<redis::Value, BrokerError> {
        self.run(partition, cmd, Resend::Never).await
    }
}
