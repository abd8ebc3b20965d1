//! The store of queues in Redis.

use super::{
    answers::{self, PartitionLease, short_detail},
    arrivals::Arrivals,
    config::RedisQueuesConfig,
    read_positions::ReadPositions,
};
use crate::broker::{
    BrokerError,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::unexpected_answer,
            keys::{Keys, hex},
            scripts::{SCRIPTS, call},
        },
    },
};
use gateway_core::queue::{DeadLetter, DeadLettered, Enqueued, EntryId, NewEntry, OwnerId, PartitionId, QueueName, RawEntry, ReadLimits};
use redis::{Cmd, Script, Value};
use std::{hash::BuildHasher as _, sync::Arc, time::Duration};

/// The store of queues in Redis. A method that only the owner of a partition may call returns None if the caller is not the owner; then it changed
/// nothing.
pub struct RedisQueues {
    pub(super) keys: Keys,
    /// Lanes that wait for replicas if the settings say so: for new entries, and for what hands entries out. All entries of a partition use the same
    /// lane, which keeps their order.
    confirmed: Vec<Arc<Lane>>,
    /// Lanes for what else owners and operators do.
    lanes: Vec<Arc<Lane>>,
    arrivals: Arrivals,
    positions: ReadPositions,
    hasher: foldhash::fast::RandomState,
    pub(super) config: RedisQueuesConfig,
    /// How long the id of an event is remembered, at least. It must be longer than `redis.deadline`, because the lane may send an event again until
    /// then.
    id_ttl: Duration,
}

/// Limits of one read. Redis executes no other command during a read, so it must be short.
const READ_ENTRIES: usize = 1000;
const READ_BYTES: usize = 4 << 20;
/// Largest number of entries in one command. Lua does not pass more than about 8,000 arguments to a command.
pub(super) const STEP: usize = 1000;

impl RedisQueues {
    /// A store that uses these lanes: those that wait for replicas, and the others. `id_ttl`: how long the id of an event is remembered.
    pub(crate) fn new(
        keys: Keys,
        [confirmed, lanes]: [Vec<Arc<Lane>>; 2],
        arrivals: Arrivals,
        config: RedisQueuesConfig,
        id_ttl: Duration,
    ) -> Self {
        let (positions, hasher) = (ReadPositions::default(), foldhash::fast::RandomState::default());
        Self { keys, confirmed, lanes, arrivals, positions, hasher, config, id_ttl }
    }

    // NL-8.4
    /// Stores an event at the end of a partition. The inner future ends with the result. The entries of a partition are stored in the order in which
    /// they are handed over, or not at all.
    pub(crate) async fn hand_over(
        &self,
        partition: &PartitionId,
        entry: NewEntry,
    ) -> Result<impl Future<Output = Result<Enqueued, BrokerError>> + Send + use<>, BrokerError> {
        let keys = [self.keys.queue_entries(partition), self.keys.queue_once(partition, &entry)];
        let (body, ttl) = entry.once.as_ref().map_or((String::new(), self.id_ttl), |once| (hex(&once.body), once.ttl.max(self.id_ttl)));
        let mut cmd = call(&SCRIPTS.queue_add, &keys);
        cmd.arg(self.config.max_length).arg(&*entry.id).arg(&*entry.key).arg(&entry.event[..]);
        cmd.arg(entry.expires_after.map(|time| millis(time).to_string()).unwrap_or_default()).arg(body).arg(millis(ttl));
        cmd.arg(hex(&rand::random::<[u8; 8]>()));
        let order = self.order(partition);
        let lane = &self.confirmed[order as usize % self.confirmed.len()];
        let command = Command { cmd, to: Target::Key, order: Some(order), resend: Resend::UntilDeadline };
        let answer = lane.hand_over(command).await?;
        Ok(async move { answers::enqueued(answer.await?) })
    }

    // NL-8.5, NL-8.6, NL-8.13
    /// Makes `owner` the owner until the lease ends, if nobody or the same owner has the partition. Takes over all pending entries, without counting
    /// a try.
    pub(crate) async fn acquire(&self, partition: &PartitionId, owner: &OwnerId) -> Result<Option<PartitionLease>, BrokerError> {
        let keys = [
            self.keys.queue_entries(partition),
            self.keys.queue_owner(partition),
            self.keys.queue_epoch(partition),
            self.keys.queue_paused(partition),
        ];
        let mut next = "0".to_owned();
        loop {
            let mut cmd = call(&SCRIPTS.queue_acquire, &keys);
            cmd.arg(owner.as_str()).arg(millis(self.config.lease)).arg(&next).arg(STEP);
            let Some(answer) = answers::owned(self.run_on(&self.confirmed, partition, cmd, Resend::Safe).await?) else { return Ok(None) };
            let step = answers::acquired(answer)?;
            self.positions.begin(partition, owner, step.last_read);
            match step.next {
                Some(more) => next = more,
                None => return Ok(Some(step.lease)),
            }
        }
    }

    /// Begins the lease again.
    pub(crate) async fn renew(&self, partition: &PartitionId, owner: &OwnerId) -> Result<Option<PartitionLease>, BrokerError> {
        let further = [self.keys.queue_epoch(partition), self.keys.queue_paused(partition)];
        let cmd = self.of_owner(&SCRIPTS.queue_renew, partition, owner, further, |cmd| {
            cmd.arg(millis(self.config.lease));
        });
        self.owned(&self.lanes, partition, owner, cmd).await?.map(answers::renewed).transpose()
    }

    /// Ends the ownership. Pending entries stay pending.
    pub(crate) async fn release(&self, partition: &PartitionId, owner: &OwnerId) -> Result<Option<()>, BrokerError> {
        let cmd = self.of_owner(&SCRIPTS.queue_release, partition, owner, [], |_| {});
        let released = self.owned(&self.lanes, partition, owner, cmd).await;
        self.forget(partition, owner);
        Ok(released?.map(drop))
    }

    /// Pending entries in the order of ids, those behind `after`. Empty: there are no more.
    pub(crate) async fn pending(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> Result<Option<Vec<RawEntry>>, BrokerError> {
        let after = after.map(|after| after.to_string()).unwrap_or_default();
        Ok(self.read(partition, owner, "pending", limits, [after]).await?.map(|(entries, _)| entries))
    }

    /// New entries in the order of ids; they become pending. Empty: there are none.
    pub(crate) async fn read_new(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        limits: ReadLimits,
    ) -> Result<Option<Vec<RawEntry>>, BrokerError> {
        let position = self.positions.of(partition, owner);
        let mut known = position.lock().await;
        let from = known.map(|id| id.to_string()).unwrap_or_default();
        let Some((entries, last)) = self.read(partition, owner, "new", limits, [from]).await? else { return Ok(None) };
        *known = Some(last);
        Ok(Some(entries))
    }

    /// These pending entries, as many from the first as the limits allow. Those that were deleted are
    /// [`Gone`](gateway_core::queue::StoredFields::Gone).
    pub(crate) async fn load(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        ids: &[EntryId],
        limits: ReadLimits,
    ) -> Result<Option<Vec<RawEntry>>, BrokerError> {
        let ids = ids.iter().take(limits.entries.min(READ_ENTRIES)).map(EntryId::to_string);
        Ok(self.read(partition, owner, "these", limits, ids).await?.map(|(entries, _)| entries))
    }

    /// Waits until the stream perhaps has an entry behind `after`, or some seconds.
    pub(crate) async fn arrival(&self, partition: &PartitionId, after: EntryId) {
        self.arrivals.wait(partition, self.keys.queue_entries(partition), after).await;
    }

    // NL-8.9
    /// Deletes entries that are done. Unknown ids count as done.
    pub(crate) async fn acknowledge(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId]) -> Result<Option<()>, BrokerError> {
        for ids in ids.chunks(STEP) {
            let cmd = self.of_owner(&SCRIPTS.queue_acknowledge, partition, owner, [], |cmd| {
                cmd.arg(ids.iter().map(EntryId::to_string).collect::<Vec<_>>());
            });
            if self.owned(&self.lanes, partition, owner, cmd).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    // NL-8.7
    /// Stores the number of tries of pending entries.
    pub(crate) async fn record_tries(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        tries: &[(EntryId, u32)],
    ) -> Result<Option<()>, BrokerError> {
        for tries in tries.chunks(STEP) {
            let cmd = self.of_owner(&SCRIPTS.queue_tries, partition, owner, [], |cmd| {
                for (id, tries) in tries {
                    cmd.arg(id.to_string()).arg(tries);
                }
            });
            if self.owned(&self.lanes, partition, owner, cmd).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    // NL-8.8
    /// Makes a pending entry a dead letter.
    pub(crate) async fn move_to_dead_letters(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        letter: &DeadLetter,
    ) -> Result<Option<DeadLettered>, BrokerError> {
        let max_dead = if partition.queue == QueueName::Ingest { self.config.max_ingest_dead } else { self.config.max_dead };
        let cmd = self.of_owner(&SCRIPTS.queue_dead_letter, partition, owner, [self.keys.queue_dead(partition)], |cmd| {
            cmd.arg(letter.id.to_string()).arg(max_dead).arg(letter.reason.name());
            cmd.arg(letter.tries).arg(short_detail(&letter.detail));
        });
        self.owned(&self.lanes, partition, owner, cmd).await?.map(answers::dead_lettered).transpose()
    }

    /// The time of a lease.
    pub(crate) fn lease(&self) -> Duration {
        self.config.lease
    }

    // NL-8.13
    /// Reads entries. Also returns the last entry that the owner has read.
    async fn read(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        what: &str,
        limits: ReadLimits,
        rest: impl IntoIterator<Item = String>,
    ) -> Result<Option<(Vec<RawEntry>, EntryId)>, BrokerError> {
        let cmd = self.of_owner(&SCRIPTS.queue_read, partition, owner, [], |cmd| {
            cmd.arg(what).arg(limits.entries.clamp(1, READ_ENTRIES)).arg(limits.bytes.min(READ_BYTES)).arg(limits.entry_bytes);
            cmd.arg(rest.into_iter().collect::<Vec<_>>());
        });
        self.owned(&self.confirmed, partition, owner, cmd).await?.map(answers::entries).transpose()
    }

    /// A call of a script that only the owner may run.
    fn of_owner(
        &self,
        script: &Script,
        partition: &PartitionId,
        owner: &OwnerId,
        further: impl IntoIterator<Item = String>,
        arguments: impl FnOnce(&mut Cmd),
    ) -> Cmd {
        let mut keys = vec![self.keys.queue_entries(partition), self.keys.queue_owner(partition)];
        keys.extend(further);
        let mut cmd = call(script, &keys);
        cmd.arg(owner.as_str());
        arguments(&mut cmd);
        cmd
    }

    // NL-8.5
    /// Runs a script that only the owner may run. It does no harm to run one of them twice.
    async fn owned(&self, lanes: &[Arc<Lane>], partition: &PartitionId, owner: &OwnerId, cmd: Cmd) -> Result<Option<Value>, BrokerError> {
        let answer = answers::owned(self.run_on(lanes, partition, cmd, Resend::Safe).await?);
        if answer.is_none() {
            self.forget(partition, owner);
        }
        Ok(answer)
    }

    /// Forgets what this node keeps of a partition that it owned.
    fn forget(&self, partition: &PartitionId, owner: &OwnerId) {
        self.positions.end(partition, owner);
        self.arrivals.end(partition);
    }

    pub(super) async fn run(&self, partition: &PartitionId, cmd: Cmd, resend: Resend) -> Result<Value, BrokerError> {
        self.run_on(&self.lanes, partition, cmd, resend).await
    }

    async fn run_on(&self, lanes: &[Arc<Lane>], partition: &PartitionId, cmd: Cmd, resend: Resend) -> Result<Value, BrokerError> {
        let lane = &lanes[self.order(partition) as usize % lanes.len()];
        match lane.run(Command { cmd, to: Target::Key, order: None, resend }).await? {
            Value::ServerError(_) => Err(unexpected_answer()),
            answer => Ok(answer),
        }
    }

    fn order(&self, partition: &PartitionId) -> u64 {
        self.hasher.hash_one(partition)
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    (duration.as_millis() as u64).max(1)
}
