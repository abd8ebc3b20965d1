//! Queues of events for services, and of publications from services: names, entries, and the decisions of the owner of a partition.
//!
//! A queue has partitions. A partition is a stream of entries in a store. One node at a time owns it: the owner reads the entries, delivers them in the
//! order of their keys, and deletes each with its acknowledgement.
//!
//! - [`owner`]: the decisions of the owner of a partition
//! - [`queued_event`]: the fields of an entry that is an event for a service
//! - [`entry`]: entries and their ids; [`partition`]: names of queues and partitions; [`dead_letter`]: entries that nobody could process
//! - [`place`]: what a channel remembers of ingest; [`status`]: what operators see

mod dead_letter;
mod entry;
pub mod owner;
mod partition;
mod place;
mod queued_event;
mod status;

pub use dead_letter::{DeadLetter, DeadLetterId, DeadLettered, DeadReason, InvalidDeadLetterId, StoredDeadLetter};
pub use entry::{Enqueued, EntryId, Field, InvalidEntryId, NewEntry, Once, RawEntry, ReadLimits, StoredFields};
pub use partition::{OwnerId, PartitionId, QueueName, partition_of};
pub use place::{EntryJudgement, EntryPlace, LastEntry};
pub use queued_event::QueuedEvent;
pub use status::PartitionStatus;
