//! Dead letters, and what operators do.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{ALL, QueueFixture, entry, ids, letter, partition, refused, value};
use crate::{broker::BrokerError, queues::QueueStore};
use gateway_core::queue::{DeadLetter, DeadLettered, DeadReason, EntryId, NewEntry, OwnerId, PartitionId, ReadLimits, StoredDeadLetter};
use std::time::Duration;

const UNKNOWN: EntryId = EntryId { ms: 1, seq: 1 };

impl<S: QueueStore> QueueFixture<S> {
    async fn move_to_dead_letters(&self, at: &PartitionId, owner: &OwnerId, id: EntryId, reason: DeadReason) -> DeadLettered {
        self.store.move_to_dead_letters(at, owner, &letter(id, reason)).await.expect("an answer")
    }

    async fn dead(&self, at: &PartitionId) -> Vec<StoredDeadLetter> {
        self.store.dead_letters(at, None, ALL).await.expect("listed")
    }

    /// Makes dead letters of events with these ids.
    async fn move_all_to_dead_letters(&self, at: &PartitionId, owner: &OwnerId, ids: &[&str]) -> Vec<StoredDeadLetter> {
        for entry in self.put_and_read(at, owner, ids).await {
            assert_eq!(self.move_to_dead_letters(at, owner, entry.id, DeadReason::Tries).await, DeadLettered::Moved);
        }
        self.dead(at).await
    }
}

fn event_id(letter: &StoredDeadLetter) -> String {
    String::from_utf8_lossy(&value(&letter.fields, "id").expect("an id")).into_owned()
}

pub async fn an_entry_becomes_a_dead_letter<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("dead");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &owner, &["1", "2"]).await;
    let detail = "ü".repeat(1000);
    let letter = DeadLetter { id: entries[0].id, reason: DeadReason::Refused, detail: detail.as_str().into(), tries: 7 };
    for _ in 0..2 {
        assert_eq!(fixture.store.move_to_dead_letters(&at, &owner, &letter).await, Ok(DeadLettered::Moved), "a repeat changes nothing");
    }
    assert_eq!(fixture.move_to_dead_letters(&at, &owner, UNKNOWN, DeadReason::Refused).await, DeadLettered::Moved);
    let dead = fixture.dead(&at).await;
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].entry, dead[0].reason, dead[0].tries), (entries[0].id, Some(DeadReason::Refused), 7));
    assert!(dead[0].detail.len() <= 1024 && dead[0].detail.len() > 1000 && detail.starts_with(&*dead[0].detail), "cut to 1 KiB");
    assert_eq!(dead[0].fields, entries[0].fields);
    assert_eq!(ids(&fixture.pending(&at, &owner).await), ["2"]);
    let status = fixture.store.status(&at).await.expect("a status");
    assert_eq!((status.depth, status.dead), (1, 1));
    assert_eq!(fixture.store.dead_letter(&at, dead[0].id).await, Ok(Some(dead[0].clone())));
    assert_eq!(fixture.store.dead_letter(&at, UNKNOWN).await, Ok(None));
}

// NL-8.9
pub async fn dead_letters_have_a_limit<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("dead-limit");
    let (owner, _) = fixture.acquire(&at).await;
    let all: Vec<_> = (0..fixture.max_dead).map(|number| number.to_string()).collect();
    let dead = fixture.move_all_to_dead_letters(&at, &owner, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let entries = fixture.put_and_read(&at, &owner, &["more"]).await;
    assert_eq!(fixture.move_to_dead_letters(&at, &owner, entries[0].id, DeadReason::Tries).await, DeadLettered::Full);
    assert_eq!((fixture.dead(&at).await, fixture.pending(&at, &owner).await), (dead.clone(), entries.clone()), "nothing changed");
    assert_eq!(fixture.store.drop_dead(&at, dead[0].id).await, Ok(true));
    assert_eq!(fixture.move_to_dead_letters(&at, &owner, entries[0].id, DeadReason::Tries).await, DeadLettered::Moved);
}

pub async fn dead_letters_are_read_in_pages<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("dead-pages");
    let (owner, _) = fixture.acquire(&at).await;
    for (id, size) in [("1", 10), ("2", 2000)] {
        fixture.add(&at, NewEntry { event: vec![b'1'; size].into(), ..entry(id) }).await;
    }
    for entry in fixture.read(&at, &owner).await {
        fixture.move_to_dead_letters(&at, &owner, entry.id, DeadReason::Expired).await;
    }
    let all = fixture.dead(&at).await;
    let page = async |after, limits| fixture.store.dead_letters(&at, after, limits).await.expect("listed");
    assert_eq!(all.iter().map(event_id).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(page(None, ReadLimits { entries: 1, ..ALL }).await, all[..1]);
    assert_eq!(page(None, ReadLimits { bytes: 100, ..ALL }).await, all[..1]);
    assert_eq!(page(Some(all[0].id), ReadLimits { bytes: 1, ..ALL }).await, all[1..]);
    assert_eq!(page(Some(all[1].id), ALL).await, []);
    let cut = page(Some(all[0].id), ReadLimits { entry_bytes: 100, ..ALL }).await;
    assert_eq!((cut[0].id, cut[0].entry, cut[0].reason, cut[0].tries), (all[1].id, all[1].entry, Some(DeadReason::Expired), 3));
    assert_eq!(cut[0].fields, gateway_core::queue::StoredFields::TooLarge(("id2key".len() + "event".len() + 2000) as u64));
}

pub async fn a_replayed_dead_letter_is_a_new_entry<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("replayed");
    let (owner, _) = fixture.acquire(&at).await;
    fixture.add(&at, NewEntry { key: "k".into(), expires_after: Some(Duration::from_secs(600)), ..entry("1") }).await;
    let before = fixture.read(&at, &owner).await;
    fixture.move_to_dead_letters(&at, &owner, before[0].id, DeadReason::Tries).await;
    fixture.put(&at, "2").await;
    let dead = fixture.dead(&at).await;
    assert_eq!(fixture.store.replay(&at, dead[0].id).await, Ok(true));
    assert_eq!(fixture.store.replay(&at, dead[0].id).await, Ok(false), "once");
    assert_eq!(fixture.store.replay(&at, UNKNOWN).await, Ok(false));
    assert_eq!(fixture.dead(&at).await, []);
    let after = fixture.read(&at, &owner).await;
    assert_eq!(ids(&after), ["2", "1"], "it comes behind what followed it");
    assert_eq!((&after[1].fields, after[1].tries), (&before[0].fields, 0));
    assert!(after[1].id > after[0].id);
}

pub async fn an_expired_dead_letter_does_not_expire_again<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("replay-expired");
    let (owner, _) = fixture.acquire(&at).await;
    fixture.add(&at, NewEntry { expires_after: Some(Duration::from_millis(1)), ..entry("1") }).await;
    let id = fixture.read(&at, &owner).await[0].id;
    fixture.move_to_dead_letters(&at, &owner, id, DeadReason::Expired).await;
    let dead = fixture.dead(&at).await;
    assert!(value(&dead[0].fields, "expires_ms").is_some());
    assert_eq!(fixture.store.replay(&at, dead[0].id).await, Ok(true));
    let entries = fixture.read(&at, &owner).await;
    assert_eq!((ids(&entries), value(&entries[0].fields, "expires_ms")), (vec!["1".into()], None));
}

pub async fn a_full_partition_takes_no_dead_letter_back<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("replay-full");
    let (owner, _) = fixture.acquire(&at).await;
    let dead = fixture.move_all_to_dead_letters(&at, &owner, &["dead"]).await;
    fixture.fill(&at, fixture.max_length).await;
    assert_eq!(fixture.store.replay(&at, dead[0].id).await, Err(BrokerError::QueueFull { length: fixture.max_length }));
    assert_eq!(fixture.dead(&at).await, dead, "nothing changed");
}

pub async fn a_dropped_dead_letter_is_gone<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("dropped");
    let (owner, _) = fixture.acquire(&at).await;
    let dead = fixture.move_all_to_dead_letters(&at, &owner, &["1", "2"]).await;
    for existed in [true, false] {
        assert_eq!(fixture.store.drop_dead(&at, dead[0].id).await, Ok(existed));
    }
    assert_eq!(fixture.dead(&at).await, dead[1..]);
}

pub async fn purging_deletes_the_oldest_and_ends_the_ownership<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("purged");
    let (one, _) = fixture.acquire(&at).await;
    fixture.put_and_read(&at, &one, &["1", "2", "3"]).await;
    for id in ["4", "5"] {
        fixture.put(&at, id).await;
    }
    assert_eq!(fixture.store.purge(&at, 2).await, Ok(2));
    refused("renew", fixture.store.renew(&at, &one).await);
    let (two, _) = fixture.acquire(&at).await;
    assert_eq!(ids(&fixture.pending(&at, &two).await), ["3"]);
    assert_eq!(ids(&fixture.read(&at, &two).await), ["4", "5"]);
    assert_eq!(fixture.store.purge(&at, 100).await, Ok(3));
    let status = fixture.store.status(&at).await.expect("a status");
    assert_eq!((status.depth, status.read, status.oldest, status.owner), (0, 0, None, None));
    let (three, _) = fixture.acquire(&at).await;
    assert_eq!(fixture.pending(&at, &three).await, []);
    assert_eq!(ids(&fixture.put_and_read(&at, &three, &["6"]).await), ["6"]);
    assert_eq!(fixture.store.purge(&partition("nothing"), 10).await, Ok(0));
}

pub async fn the_status_shows_the_partition<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("status");
    let empty = fixture.store.status(&at).await.expect("a status");
    assert_eq!((empty.depth, empty.read, empty.oldest, empty.dead, empty.owner, empty.paused), (0, 0, None, 0, None, false));
    let first = fixture.put(&at, "1").await;
    fixture.put(&at, "2").await;
    let waiting = fixture.store.status(&at).await.expect("a status");
    assert_eq!((waiting.depth, waiting.read, waiting.oldest, &waiting.owner), (2, 0, Some(first), &None));
    assert!(waiting.now_ms.abs_diff(first.ms) < 10_000, "{waiting:?}");
    let (owner, _) = fixture.acquire(&at).await;
    fixture.store.read_new(&at, &owner, ReadLimits { entries: 1, ..ALL }).await.expect("read");
    let read = fixture.store.status(&at).await.expect("a status");
    assert_eq!((read.depth, read.read, read.oldest, read.owner.as_deref()), (2, 1, Some(first), Some(owner.as_str())));
}
