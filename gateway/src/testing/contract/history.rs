//! What the broker keeps of a channel, and how it reads it.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP, offsets};
use crate::testing::fixtures::{ALL, HOUR, channel, kept, retention};
use gateway_core::model::{PageLimit, ReadRange};
use std::time::Duration;

pub async fn the_oldest_go_when_a_history_is_full_and_a_reader_can_tell(fixture: &BrokerFixture) {
    let channel = channel("c:full");
    fixture.publish_all(&channel, 1..=10, retention(3, HOUR)).await;
    let page = fixture.read(&channel, ReadRange::After(2), ALL).await;
    assert_eq!(offsets(&page), [8, 9, 10], "it begins later than asked");
    assert_eq!(page.top, 10);
    fixture.publish_all(&channel, [11], retention(1, HOUR)).await;
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, [11], "a smaller size holds from the next publish on");
}

// NL-1.9
pub async fn a_history_ends_after_its_last_publication_and_the_position_stays(fixture: &BrokerFixture) {
    let channel = channel("c:ends");
    let ttl = Duration::from_secs(3);
    let keep = retention(100, ttl);
    fixture.publish_all(&channel, [1], keep).await;
    (fixture.pass)(Duration::from_secs(2)).await;
    fixture.publish_all(&channel, [2], keep).await;
    (fixture.pass)(Duration::from_secs(2)).await;
    let before = fixture.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(offsets(&before), [1, 2], "each publish restarts the time of all");
    (fixture.pass)(Duration::from_secs(2)).await;
    let after = fixture.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!((after.epoch, after.top, offsets(&after)), (before.epoch, 2, vec![]));
    let next = fixture.publish(&channel, kept(3, keep)).await.position.expect("kept");
    assert_eq!((next.epoch, next.offset), (before.epoch, 3));
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, [3], "what had ended does not come back");
}

pub async fn spans_choose_what_is_read(fixture: &BrokerFixture) {
    let channel = channel("c:spans");
    fixture.publish_all(&channel, 1..=8, retention(5, HOUR)).await;
    for (range, expected) in [
        (ReadRange::Top, vec![]),
        (ReadRange::After(0), vec![4, 5, 6, 7, 8]),
        (ReadRange::After(3), vec![4, 5, 6, 7, 8]),
        (ReadRange::After(6), vec![7, 8]),
        (ReadRange::After(8), vec![]),
        (ReadRange::After(u64::MAX), vec![]),
        (ReadRange::Before(None), vec![8, 7, 6, 5, 4]),
        (ReadRange::Before(Some(u64::MAX)), vec![8, 7, 6, 5, 4]),
        (ReadRange::Before(Some(8)), vec![7, 6, 5, 4]),
        (ReadRange::Before(Some(5)), vec![4]),
        (ReadRange::Before(Some(4)), vec![]),
        (ReadRange::Before(Some(1)), vec![]),
        (ReadRange::Before(Some(0)), vec![]),
    ] {
        let page = fixture.read(&channel, range, ALL).await;
        assert_eq!((offsets(&page), page.top), (expected, 8), "{range:?}");
    }
}

// NL-4.8
pub async fn pages_are_bounded_by_entries_and_bytes(fixture: &BrokerFixture) {
    let channel = channel("c:pages");
    fixture.publish_all(&channel, 1..=9, KEEP).await;
    let size = fixture.read(&channel, ReadRange::After(0), ALL).await.publications[0].size();
    for (entries, bytes, expected) in [
        (3, usize::MAX, vec![1, 2, 3]),
        (0, usize::MAX, vec![]),
        (usize::MAX, 2 * size, vec![1, 2]),
        (usize::MAX, 2 * size + size / 2, vec![1, 2]),
        (usize::MAX, 0, vec![1]),
        (2, 3 * size, vec![1, 2]),
    ] {
        assert_eq!(
            offsets(&fixture.read(&channel, ReadRange::After(0), PageLimit { entries, bytes }).await),
            expected,
            "{entries} {bytes}"
        );
    }
    let newest = PageLimit { entries: 2, bytes: usize::MAX };
    assert_eq!(offsets(&fixture.read(&channel, ReadRange::Before(None), newest).await), [9, 8]);
}

// NL-1.9
pub async fn the_first_read_makes_the_epoch_that_publishes_go_on_in(fixture: &BrokerFixture) {
    for (name, subscribed) in [("c:unseen", false), ("c:joined", true)] {
        let channel = channel(name);
        if subscribed {
            fixture.join(&channel, 0).await;
        }
        let page = fixture.read(&channel, ReadRange::Top, ALL).await;
        assert_eq!((page.top, page.forks.len(), page.publications.len()), (0, 0, 0));
        assert_eq!(fixture.read(&channel, ReadRange::Top, ALL).await.epoch, page.epoch);
        let first = fixture.publish(&channel, kept(1, KEEP)).await.position.expect("kept");
        assert_eq!((first.epoch, first.offset), (page.epoch, 1));
    }
    let (one, two) = (channel("c:unseen"), channel("c:joined"));
    assert_ne!(fixture.read(&one, ReadRange::Top, ALL).await.epoch, fixture.read(&two, ReadRange::Top, ALL).await.epoch);
}

// NL-1.9
pub async fn clearing_keeps_epoch_and_offsets(fixture: &BrokerFixture) {
    let channel = channel("c:clear");
    fixture.broker.clear(&channel).await.expect("nothing to clear is no error");
    fixture.publish_all(&channel, 1..=3, KEEP).await;
    let before = fixture.read(&channel, ReadRange::Top, ALL).await;
    fixture.broker.clear(&channel).await.expect("cleared");
    let after = fixture.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!((after.epoch, after.top, offsets(&after)), (before.epoch, 3, vec![]));
    assert_eq!(fixture.publish_all(&channel, [4], KEEP).await, 4);
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, [4]);
}
