//! What a store of queues does.

use crate::broker::BrokerError;
use gateway_core::queue::{
    DeadLetter, DeadLettered, Enqueued, EntryId, NewEntry, OwnerId, PartitionId, PartitionStatus, RawEntry, ReadLimits, StoredDeadLetter,
};
use std::time::Duration;

/// The result of something that only the owner of a partition may do.
pub type Owned<T> = Result<T, OwnedError>;

/// Why something that only the owner may do was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnedError {
    /// Another owner has the partition, or nobody. Nothing changed.
    #[error("this node does not own the partition any more")]
    NotOwner,
    /// The store failed. After [`BrokerError::OutcomeUnknown`] it may have done it; all these requests may be repeated.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// A store of queues. Each partition is a stream of entries, an owner under a lease, and a stream of dead letters.
///
/// The store hands an entry out as *new* once. From then on it is *pending*, whoever owns the partition, until it is acknowledged or a dead letter.
pub trait QueueStore: Send + Sync + 'static {
    /// Stores an event at the end of a partition. Refused with [`BrokerError::QueueFull`] at the limit of entries, and with
    /// [`BrokerError::IdempotencyMismatch`] if [`NewEntry::once`] names another event. The inner future ends with the result; the entries of a partition
    /// are stored in the order in which they are handed over, or not at all.
    fn hand_over(
        &self,
        partition: &PartitionId,
        entry: NewEntry,
    ) -> impl Future<Output = Result<impl Future<Output = Result<Enqueued, BrokerError>> + Send + 'static, BrokerError>> + Send;

    /// Makes `owner` the owner until the lease ends, if nobody or the same owner has the partition. None: another owner has it. Takes over all pending
    /// entries, without counting a try.
    fn acquire(&self, partition: &PartitionId, owner: &OwnerId) -> impl Future<Output = Result<Option<Ownership>, BrokerError>> + Send;

    /// Begins the lease again.
    fn renew(&self, partition: &PartitionId, owner: &OwnerId) -> impl Future<Output = Owned<Ownership>> + Send;

    /// Ends the ownership. Pending entries stay pending.
    fn release(&self, partition: &PartitionId, owner: &OwnerId) -> impl Future<Output = Owned<()>> + Send;

    /// Pending entries in the order of ids, those behind `after`. Empty: there are no more.
    fn pending(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> impl Future<Output = Owned<Vec<RawEntry>>> + Send;

    /// New entries in the order of ids; they become pending. Empty: there are none.
    fn read_new(&self, partition: &PartitionId, owner: &OwnerId, limits: ReadLimits) -> impl Future<Output = Owned<Vec<RawEntry>>> + Send;

    /// These pending entries, as many from the first as the limits allow. Entries that were deleted are [`Gone`](gateway_core::queue::StoredFields::Gone).
    fn load(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        ids: &[EntryId],
        limits: ReadLimits,
    ) -> impl Future<Output = Owned<Vec<RawEntry>>> + Send;

    /// Waits until the stream perhaps has an entry behind `after`, or some seconds. Dropping the future is safe.
    fn arrival(&self, partition: &PartitionId, after: EntryId) -> impl Future<Output = ()> + Send;

    /// Deletes entries that are done. Unknown ids count as done.
    fn acknowledge(&self, partition: &PartitionId, owner: &OwnerId, ids: &[EntryId]) -> impl Future<Output = Owned<()>> + Send;

    /// Stores the number of tries of pending entries.
    fn record_tries(&self, partition: &PartitionId, owner: &OwnerId, tries: &[(EntryId, u32)]) -> impl Future<Output = Owned<()>> + Send;

    /// Makes a pending entry a dead letter.
    fn move_to_dead_letters(
        &self,
        partition: &PartitionId,
        owner: &OwnerId,
        letter: &DeadLetter,
    ) -> impl Future<Output = Owned<DeadLettered>> + Send;

    /// The state of a partition.
    fn status(&self, partition: &PartitionId) -> impl Future<Output = Result<PartitionStatus, BrokerError>> + Send;

    /// Dead letters in the order of ids, those behind `after`.
    fn dead_letters(
        &self,
        partition: &PartitionId,
        after: Option<EntryId>,
        limits: ReadLimits,
    ) -> impl Future<Output = Result<Vec<StoredDeadLetter>, BrokerError>> + Send;

    /// One dead letter.
    fn dead_letter(
        &self,
        partition: &PartitionId,
        id: EntryId,
    ) -> impl Future<Output = Result<Option<StoredDeadLetter>, BrokerError>> + Send;

    /// Puts a dead letter at the end of its partition, with the id and the key of its event. False: there is no such dead letter.
    fn replay(&self, partition: &PartitionId, id: EntryId) -> impl Future<Output = Result<bool, BrokerError>> + Send;

    /// Deletes a dead letter. False: there is none.
    fn drop_dead(&self, partition: &PartitionId, id: EntryId) -> impl Future<Output = Result<bool, BrokerError>> + Send;

    /// Pauses the deliveries of a partition, or ends the pause. The owner learns of it with its next renewal.
    fn set_paused(&self, partition: &PartitionId, paused: bool) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Deletes at most `most` of the oldest entries and ends the ownership. Returns how many it deleted.
    fn purge(&self, partition: &PartitionId, most: u64) -> impl Future<Output = Result<u64, BrokerError>> + Send;

    /// The time of a lease.
    fn lease(&self) -> Duration;
}

/// What an owner learns with its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Grows with each new owner of the partition.
    pub epoch: u64,
    /// Whether deliveries are paused.
    pub paused: bool,
    /// The clock of the store, in milliseconds since 1970.
    pub now_ms: u64,
}
