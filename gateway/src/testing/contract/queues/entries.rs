//! Entries: stored, read, acknowledged.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{ALL, QueueFixture, entry, ids, once, partition, value};
use crate::{broker::BrokerError, queues::QueueStore};
use gateway_core::queue::{Enqueued, EntryId, NewEntry, ReadLimits, StoredFields};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

pub async fn an_entry_arrives_as_it_was_stored<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("as-it-was");
    let event = "{\"data\":\"\\u0000 ü \\\"\\n\"}";
    let new = NewEntry { id: "msg_1 {ü}:*".into(), key: "k {} \n".into(), event: event.into(), ..entry("") };
    let Enqueued::Stored(id) = fixture.add(&at, new).await else { panic!("a repeat") };
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.read(&at, &owner).await;
    let expected = [("id", "msg_1 {ü}:*"), ("key", "k {} \n"), ("event", event)];
    let expected = expected.map(|(name, value)| (name.into(), value.into())).to_vec();
    assert_eq!((entries.len(), entries[0].id, entries[0].tries), (1, id, 0));
    assert_eq!(entries[0].fields, StoredFields::Read(expected));
}

pub async fn an_entry_that_expires_says_when<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("expires");
    fixture.add(&at, NewEntry { expires_after: Some(Duration::from_secs(90)), ..entry("1") }).await;
    let (owner, ownership) = fixture.acquire(&at).await;
    let entries = fixture.read(&at, &owner).await;
    let expires = value(&entries[0].fields, "expires_ms").expect("a field");
    let expires: u64 = String::from_utf8_lossy(&expires).parse().expect("a number");
    assert!(expires.abs_diff(ownership.now_ms + 90_000) < 5000, "{expires} {ownership:?}");
}

pub async fn entries_keep_the_order_in_which_they_were_handed_over<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("order");
    let mut answers = Vec::new();
    for number in 0..20 {
        answers.push(fixture.store.hand_over(&at, entry(&number.to_string())).await.expect("handed over"));
    }
    let mut stored = Vec::new();
    for answer in answers {
        match answer.await.expect("stored") {
            Enqueued::Stored(id) => stored.push(id),
            Enqueued::Repeated(id) => panic!("a repeat of {id}"),
        }
    }
    assert!(stored.is_sorted_by(|one, next| one < next), "{stored:?}");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.read(&at, &owner).await;
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), stored);
    assert_eq!(ids(&entries), (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

pub async fn partitions_are_independent<S: QueueStore>(fixture: &QueueFixture<S>) {
    let one = partition("apart");
    let mut two = one.clone();
    two.partition = 1;
    fixture.put(&one, "1").await;
    fixture.put(&two, "1").await;
    let ((owner, _), (other, _)) = (fixture.acquire(&one).await, fixture.acquire(&two).await);
    assert_eq!((ids(&fixture.read(&one, &owner).await), ids(&fixture.read(&two, &other).await)), (vec!["1".into()], vec!["1".into()]));
}

pub async fn a_repeated_event_is_stored_once<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("repeats");
    let (plain, named) = (entry("1"), NewEntry { once: Some(once(1, 1, Duration::from_secs(60))), ..entry("2") });
    for new in [plain, named] {
        assert!(matches!(fixture.add(&at, new.clone()).await, Enqueued::Stored(_)));
        assert_eq!(fixture.add(&at, new.clone()).await, Enqueued::Repeated(new.id));
    }
    let other_id = NewEntry { once: Some(once(1, 1, Duration::from_secs(60))), ..entry("3") };
    assert_eq!(fixture.add(&at, other_id).await, Enqueued::Repeated("2".into()), "the id that it was stored under");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.read(&at, &owner).await;
    assert_eq!(ids(&entries), ["1", "2"]);
    let all: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    fixture.store.acknowledge(&at, &owner, &all).await.expect("acknowledged");
    assert_eq!(fixture.add(&at, entry("1")).await, Enqueued::Repeated("1".into()), "it is remembered longer than it waits");
}

pub async fn an_id_is_forgotten_in_time<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("forgotten-id");
    fixture.put(&at, "1").await;
    (fixture.pass)(fixture.id_ttl + Duration::from_millis(200)).await;
    fixture.put(&at, "1").await;
}

pub async fn a_name_belongs_to_its_body<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("bodies");
    let ttl = Duration::from_secs(60);
    fixture.add(&at, NewEntry { once: Some(once(1, 1, ttl)), ..entry("1") }).await;
    let other_body = NewEntry { once: Some(once(1, 2, ttl)), ..entry("2") };
    let refused = fixture.store.hand_over(&at, other_body).await.expect("handed over").await;
    assert_eq!(refused, Err(BrokerError::IdempotencyMismatch));
    let other_name = NewEntry { once: Some(once(2, 2, ttl)), ..entry("3") };
    assert!(matches!(fixture.add(&at, other_name).await, Enqueued::Stored(_)));
    let (owner, _) = fixture.acquire(&at).await;
    assert_eq!(ids(&fixture.read(&at, &owner).await), ["1", "3"]);
}

pub async fn a_name_is_forgotten_in_time<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("forgotten-name");
    let new = NewEntry { once: Some(once(1, 1, fixture.id_ttl)), ..entry("1") };
    fixture.add(&at, new.clone()).await;
    assert!(matches!(fixture.add(&at, new.clone()).await, Enqueued::Repeated(_)));
    (fixture.pass)(fixture.id_ttl + Duration::from_millis(200)).await;
    assert!(matches!(fixture.add(&at, new).await, Enqueued::Stored(_)));
}

// NL-8.9
pub async fn a_full_partition_refuses_and_trims_nothing<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("full");
    fixture.fill(&at, fixture.max_length).await;
    let refused = fixture.store.hand_over(&at, entry("more")).await.expect("handed over").await;
    assert_eq!(refused, Err(BrokerError::QueueFull { length: fixture.max_length }));
    assert_eq!(fixture.add(&at, entry("0")).await, Enqueued::Repeated("0".into()), "a repeat needs no room");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.read(&at, &owner).await;
    assert_eq!((entries.len() as u64, ids(&entries)[0].as_str()), (fixture.max_length, "0"));
    fixture.store.acknowledge(&at, &owner, &[entries[0].id]).await.expect("acknowledged");
    fixture.put(&at, "more").await;
}

pub async fn new_entries_are_handed_out_once<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("handed-out-once");
    let (owner, _) = fixture.acquire(&at).await;
    assert_eq!(fixture.read(&at, &owner).await, []);
    let entries = fixture.put_and_read(&at, &owner, &["1", "2"]).await;
    assert_eq!(ids(&entries), ["1", "2"]);
    assert_eq!(fixture.read(&at, &owner).await, []);
    assert_eq!(fixture.pending(&at, &owner).await, entries, "they are pending");
    let after = fixture.store.pending(&at, &owner, Some(entries[0].id), ALL).await;
    assert_eq!(after, Ok(vec![entries[1].clone()]));
    assert_eq!(ids(&fixture.put_and_read(&at, &owner, &["3"]).await), ["3"]);
}

pub async fn reads_are_bounded_by_entries_and_bytes<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("bounds");
    for number in 0..6 {
        fixture.add(&at, NewEntry { event: vec![b'1'; 1000].into(), ..entry(&number.to_string()) }).await;
    }
    let (owner, _) = fixture.acquire(&at).await;
    let read = async |entries, bytes| ids(&fixture.store.read_new(&at, &owner, ReadLimits { entries, bytes, ..ALL }).await.expect("read"));
    assert_eq!(read(2, 1 << 20).await, ["0", "1"]);
    assert_eq!(read(10, 1).await, ["2"], "the first is read even if it is larger");
    assert_eq!(read(10, 2500).await, ["3", "4"]);
    assert_eq!(read(10, 1 << 20).await, ["5"]);
    let mut after = None;
    for expected in [["0", "1"], ["2", "3"], ["4", "5"]] {
        let page = fixture.store.pending(&at, &owner, after, ReadLimits { bytes: 2500, ..ALL }).await.expect("read");
        assert_eq!(ids(&page), expected);
        after = page.last().map(|entry| entry.id);
    }
    assert_eq!(fixture.store.pending(&at, &owner, after, ALL).await, Ok(Vec::new()));
}

pub async fn an_entry_that_is_too_large_shows_its_size<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("too-large");
    let (owner, _) = fixture.acquire(&at).await;
    let id = match fixture.add(&at, NewEntry { event: vec![b'1'; 1000].into(), ..entry("1") }).await {
        Enqueued::Stored(id) => id,
        Enqueued::Repeated(id) => panic!("a repeat of {id}"),
    };
    fixture.put(&at, "2").await;
    let limits = ReadLimits { entry_bytes: 100, ..ALL };
    let size = ("id1".len() + "key".len() + "event".len() + 1000) as u64;
    let read = fixture.store.read_new(&at, &owner, limits).await.expect("read");
    assert_eq!((read[0].id, &read[0].fields), (id, &StoredFields::TooLarge(size)));
    assert_eq!(ids(&read[1..]), ["2"]);
    assert_eq!(fixture.store.pending(&at, &owner, None, limits).await, Ok(read.clone()));
    assert_eq!(fixture.store.load(&at, &owner, &[id], limits).await, Ok(vec![read[0].clone()]));
}

pub async fn what_is_acknowledged_is_gone<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("acknowledged");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &owner, &["1", "2", "3"]).await;
    let unknown = EntryId { ms: 1, seq: 1 };
    for _ in 0..2 {
        fixture.store.acknowledge(&at, &owner, &[entries[1].id, unknown]).await.expect("unknown ids count as done");
    }
    assert_eq!(ids(&fixture.pending(&at, &owner).await), ["1", "3"]);
    assert_eq!(fixture.store.status(&at).await.expect("a status").depth, 2);
    let loaded = fixture.store.load(&at, &owner, &[entries[0].id, entries[1].id], ALL).await.expect("loaded");
    assert_eq!((loaded.len(), ids(&loaded[..1])), (2, vec!["1".into()]));
    assert_eq!((loaded[1].id, &loaded[1].fields), (entries[1].id, &StoredFields::Gone));
    fixture.store.acknowledge(&at, &owner, &[]).await.expect("nothing to do");
}

pub async fn pending_entries_are_loaded_by_id<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("loaded");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &owner, &["1", "2", "3"]).await;
    let wanted = [entries[2].id, entries[0].id];
    assert_eq!(ids(&fixture.store.load(&at, &owner, &wanted, ALL).await.expect("loaded")), ["3", "1"]);
    let one = fixture.store.load(&at, &owner, &wanted, ReadLimits { bytes: 1, ..ALL }).await.expect("loaded");
    assert_eq!(ids(&one), ["3"], "as many as the limits allow, but at least one");
    assert_eq!(fixture.store.load(&at, &owner, &wanted, ReadLimits { entries: 1, ..ALL }).await.expect("loaded").len(), 1);
}

pub async fn tries_are_stored<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("tries");
    let (owner, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &owner, &["1", "2"]).await;
    for _ in 0..3 {
        assert_eq!(fixture.pending(&at, &owner).await, entries, "a read is no try");
    }
    fixture.store.record_tries(&at, &owner, &[(entries[0].id, 7), (EntryId { ms: 1, seq: 1 }, 3)]).await.expect("recorded");
    let tries: Vec<_> = fixture.pending(&at, &owner).await.iter().map(|entry| entry.tries).collect();
    assert_eq!(tries, [7, 0]);
    assert_eq!(fixture.store.load(&at, &owner, &[entries[0].id], ALL).await.expect("loaded")[0].tries, 7);
}

pub async fn an_arrival_is_noticed<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("arrival");
    let (owner, _) = fixture.acquire(&at).await;
    let mut last = EntryId::default();
    for round in 0..5 {
        let begun = Instant::now();
        let put = async {
            sleep(Duration::from_millis(20)).await;
            fixture.put(&at, &round.to_string()).await
        };
        let ((), id) = tokio::join!(fixture.store.arrival(&at, last), put);
        assert!(begun.elapsed() < Duration::from_secs(1), "round {round}: noticed after {:?}", begun.elapsed());
        last = id;
        fixture.read(&at, &owner).await;
        // The caller often stops to wait, because something else happened.
        for _ in 0..20 {
            let _ = timeout(Duration::from_millis(1), fixture.store.arrival(&at, last)).await;
        }
    }
    let begun = Instant::now();
    fixture.store.arrival(&at, EntryId::default()).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "an entry that is there already is noticed");
}
