//! The contract of a store of queues: one list of tests for every store, see [`queue_contract`](crate::queue_contract).

mod entries;
mod operators;
mod ownership;

use crate::queues::{OwnedError, Ownership, QueueStore};
use bytes::Bytes;
pub use entries::*;
use gateway_core::queue::{
    DeadLetter, DeadReason, Enqueued, EntryId, NewEntry, Once, OwnerId, PartitionId, QueueName, RawEntry, ReadLimits, StoredFields,
};
pub use operators::*;
pub use ownership::*;
use std::{pin::Pin, sync::Arc, time::Duration};

/// A store under test.
pub struct QueueFixture<S> {
    /// The store, which is running. Its lease is at least half a second.
    pub store: Arc<S>,
    /// The largest number of entries of a partition: 20 to 1000.
    pub max_length: u64,
    /// The largest number of dead letters of a partition: 2 to 10.
    pub max_dead: u64,
    /// How long the store remembers the id of an event that has no [`Once`], and at least how long it remembers a [`Once`].
    pub id_ttl: Duration,
    /// Waits for this time, real or simulated.
    pub pass: fn(Duration) -> Pin<Box<dyn Future<Output = ()>>>,
    /// Keeps what the store needs, such as its server, until the fixture is dropped.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Makes every test of the contract a test of the calling module: `queue_contract!([attribute] fixture)`.
#[macro_export]
macro_rules! queue_contract {
    ($test:tt $fixture:expr) => {
        $crate::queue_contract! { @each $test $fixture,
            an_entry_arrives_as_it_was_stored
            an_entry_that_expires_says_when
            entries_keep_the_order_in_which_they_were_handed_over
            partitions_are_independent
            a_repeated_event_is_stored_once
            an_id_is_forgotten_in_time
            a_name_belongs_to_its_body
            a_name_is_forgotten_in_time
            a_full_partition_refuses_and_trims_nothing
            new_entries_are_handed_out_once
            reads_are_bounded_by_entries_and_bytes
            an_entry_that_is_too_large_shows_its_size
            what_is_acknowledged_is_gone
            pending_entries_are_loaded_by_id
            tries_are_stored
            an_arrival_is_noticed
            a_partition_has_one_owner
            an_ownership_ends_with_its_lease
            a_renewal_begins_the_lease_again
            a_new_owner_finds_what_is_pending
            who_does_not_own_can_do_nothing
            a_pause_is_seen_with_the_next_renewal
            an_entry_becomes_a_dead_letter
            dead_letters_have_a_limit
            dead_letters_are_read_in_pages
            a_replayed_dead_letter_is_a_new_entry
            an_expired_dead_letter_does_not_expire_again
            a_full_partition_takes_no_dead_letter_back
            a_dropped_dead_letter_is_gone
            purging_deletes_the_oldest_and_ends_the_ownership
            the_status_shows_the_partition
        }
    };
    (@each $test:tt $fixture:expr, $($name:ident)*) => { $($crate::queue_contract! { @one $test $fixture, $name })* };
    (@one [$test:meta] $fixture:expr, $name:ident) => {
        #[$test]
        async fn $name() {
            $crate::testing::contract::queues::$name(&$fixture).await;
        }
    };
}

/// Limits that no test reaches.
pub const ALL: ReadLimits = ReadLimits { entries: 1000, bytes: 1 << 20, entry_bytes: 1 << 20 };

/// A partition of the queue of a service.
pub fn partition(name: &str) -> PartitionId {
    PartitionId { queue: QueueName::Service(name.parse().expect("a valid name")), partition: 0 }
}

/// An event without a key, whose data is its id.
pub fn entry(id: &str) -> NewEntry {
    NewEntry { id: id.into(), key: "".into(), event: format!("{id:?}").into(), expires_after: None, once: None }
}

/// What tells a repeat from a new event.
pub fn once(name: u8, body: u8, ttl: Duration) -> Once {
    Once { name: [name; 32], body: [body; 32], ttl }
}

/// A new owner.
pub fn owner(node: &str) -> OwnerId {
    OwnerId::new(node)
}

/// The value of a field of an entry.
pub fn value(fields: &StoredFields, name: &str) -> Option<Bytes> {
    fields.get(name).cloned()
}

/// The id of the event of each entry.
pub fn ids(entries: &[RawEntry]) -> Vec<String> {
    let id = |entry: &RawEntry| value(&entry.fields, "id").unwrap_or_else(|| panic!("no event: {entry:?}"));
    entries.iter().map(|entry| String::from_utf8_lossy(&id(entry)).into_owned()).collect()
}

/// A dead letter of this entry.
pub fn letter(id: EntryId, reason: DeadReason) -> DeadLetter {
    DeadLetter { id, reason, detail: "it broke".into(), tries: 3 }
}

impl<S: QueueStore> QueueFixture<S> {
    /// Stores an entry.
    pub async fn add(&self, at: &PartitionId, entry: NewEntry) -> Enqueued {
        self.store.hand_over(at, entry).await.expect("handed over").await.expect("stored")
    }

    /// Stores an event with this id. Returns the id of its entry.
    pub async fn put(&self, at: &PartitionId, id: &str) -> EntryId {
        match self.add(at, entry(id)).await {
            Enqueued::Stored(id) => id,
            Enqueued::Repeated(first) => panic!("{id} repeats {first}"),
        }
    }

    /// Stores this many events, with the ids 0, 1, 2 …
    pub async fn fill(&self, at: &PartitionId, count: u64) {
        for number in 0..count {
            self.put(at, &number.to_string()).await;
        }
    }

    /// Makes a new owner of the partition.
    pub async fn acquire(&self, at: &PartitionId) -> (OwnerId, Ownership) {
        let owner = owner("node");
        let ownership = self.store.acquire(at, &owner).await.expect("an answer").expect("nobody owns it");
        (owner, ownership)
    }

    /// All new entries.
    pub async fn read(&self, at: &PartitionId, owner: &OwnerId) -> Vec<RawEntry> {
        self.store.read_new(at, owner, ALL).await.expect("read")
    }

    /// All pending entries.
    pub async fn pending(&self, at: &PartitionId, owner: &OwnerId) -> Vec<RawEntry> {
        self.store.pending(at, owner, None, ALL).await.expect("read")
    }

    /// Stores events with these ids, and reads them.
    pub async fn put_and_read(&self, at: &PartitionId, owner: &OwnerId, ids: &[&str]) -> Vec<RawEntry> {
        for id in ids {
            self.put(at, id).await;
        }
        self.read(at, owner).await
    }
}

/// Checks that this was refused because the caller is not the owner.
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, OwnedError>) {
    assert!(matches!(result, Err(OwnedError::NotOwner)), "{what}: {result:?}");
}
