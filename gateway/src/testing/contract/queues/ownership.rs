//! Owners of partitions.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{ALL, QueueFixture, ids, letter, owner, partition, refused};
use crate::queues::QueueStore;
use gateway_core::queue::{DeadReason, OwnerId, PartitionId};
use std::time::Duration;

pub async fn a_partition_has_one_owner<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("one-owner");
    let (one, first) = fixture.acquire(&at).await;
    assert!(first.epoch > 0 && !first.paused && first.now_ms > 1_600_000_000_000, "{first:?}");
    let two = owner("node");
    assert_eq!(fixture.store.acquire(&at, &two).await, Ok(None));
    let again = fixture.store.acquire(&at, &one).await.expect("an answer").expect("still its own");
    assert_eq!(again.epoch, first.epoch);
    fixture.store.release(&at, &one).await.expect("released");
    let second = fixture.store.acquire(&at, &two).await.expect("an answer").expect("free");
    assert!(second.epoch > first.epoch, "{first:?} {second:?}");
    assert_eq!(fixture.store.acquire(&at, &one).await, Ok(None));
}

pub async fn an_ownership_ends_with_its_lease<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("lease");
    let (one, first) = fixture.acquire(&at).await;
    (fixture.pass)(fixture.store.lease() + Duration::from_millis(100)).await;
    refused("renew", fixture.store.renew(&at, &one).await);
    assert_eq!(fixture.store.status(&at).await.expect("a status").owner, None);
    let (_, second) = fixture.acquire(&at).await;
    assert!(second.epoch > first.epoch);
    let (_, other) = fixture.acquire(&partition("lease2")).await;
    assert!(other.epoch > 0, "partitions have owners of their own");
}

pub async fn a_renewal_begins_the_lease_again<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("renewal");
    let (one, first) = fixture.acquire(&at).await;
    for _ in 0..4 {
        (fixture.pass)(fixture.store.lease() / 2).await;
        let renewed = fixture.store.renew(&at, &one).await.expect("renewed");
        assert_eq!((renewed.epoch, renewed.paused), (first.epoch, false));
        assert!(renewed.now_ms >= first.now_ms);
    }
    assert_eq!(fixture.store.acquire(&at, &owner("other")).await, Ok(None));
}

// NL-8.6, NL-8.7
pub async fn a_new_owner_finds_what_is_pending<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("takeover");
    let (one, _) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &one, &["1", "2", "3"]).await;
    fixture.store.record_tries(&at, &one, &[(entries[1].id, 2)]).await.expect("recorded");
    fixture.store.acknowledge(&at, &one, &[entries[0].id]).await.expect("acknowledged");
    fixture.put(&at, "4").await;
    for _ in 0..3 {
        (fixture.pass)(fixture.store.lease() + Duration::from_millis(100)).await;
        let (next, _) = fixture.acquire(&at).await;
        let pending = fixture.pending(&at, &next).await;
        assert_eq!(ids(&pending), ["2", "3"]);
        assert_eq!((pending[0].tries, pending[1].tries), (2, 0), "a takeover is no try");
    }
    (fixture.pass)(fixture.store.lease() + Duration::from_millis(100)).await;
    let (last, _) = fixture.acquire(&at).await;
    assert_eq!(ids(&fixture.read(&at, &last).await), ["4"]);
    assert_eq!(ids(&fixture.pending(&at, &last).await), ["2", "3", "4"]);
}

// NL-8.5
pub async fn who_does_not_own_can_do_nothing<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("stale");
    let (stale, _) = fixture.acquire(&at).await;
    fixture.put_and_read(&at, &stale, &["1"]).await;
    fixture.put(&at, "2").await;
    fixture.store.release(&at, &stale).await.expect("released");
    everything_is_refused(fixture, &at, &stale).await;
    let (next, _) = fixture.acquire(&at).await;
    everything_is_refused(fixture, &at, &stale).await;
    everything_is_refused(fixture, &at, &owner("never")).await;
    fixture.store.renew(&at, &next).await.expect("still the owner");
    let pending = fixture.pending(&at, &next).await;
    assert_eq!((ids(&pending), pending[0].tries), (vec!["1".into()], 0), "nothing changed");
    assert_eq!(ids(&fixture.read(&at, &next).await), ["2"]);
    assert_eq!(fixture.store.status(&at).await.expect("a status").dead, 0);
}

async fn everything_is_refused<S: QueueStore>(fixture: &QueueFixture<S>, at: &PartitionId, who: &OwnerId) {
    let oldest = fixture.store.status(at).await.expect("a status").oldest.expect("an entry");
    refused("renew", fixture.store.renew(at, who).await);
    refused("release", fixture.store.release(at, who).await);
    refused("pending", fixture.store.pending(at, who, None, ALL).await);
    refused("read_new", fixture.store.read_new(at, who, ALL).await);
    refused("load", fixture.store.load(at, who, &[oldest], ALL).await);
    refused("acknowledge", fixture.store.acknowledge(at, who, &[oldest]).await);
    refused("record_tries", fixture.store.record_tries(at, who, &[(oldest, 5)]).await);
    refused("move_to_dead_letters", fixture.store.move_to_dead_letters(at, who, &letter(oldest, DeadReason::Refused)).await);
}

pub async fn a_pause_is_seen_with_the_next_renewal<S: QueueStore>(fixture: &QueueFixture<S>) {
    let at = partition("paused");
    let (one, first) = fixture.acquire(&at).await;
    assert!(!first.paused);
    for paused in [true, true, false, false, true] {
        fixture.store.set_paused(&at, paused).await.expect("set");
        assert_eq!(fixture.store.renew(&at, &one).await.expect("renewed").paused, paused);
        assert_eq!(fixture.store.status(&at).await.expect("a status").paused, paused);
    }
    fixture.store.release(&at, &one).await.expect("released");
    assert!(fixture.acquire(&at).await.1.paused, "a pause outlives its owner");
}
