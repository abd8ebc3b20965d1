//! What is kept of a channel, and how it is read.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{Bed, KEEP, offsets};
use crate::testing::fixtures::{ALL, HOUR, channel, kept, retention};
use gateway_core::model::{PageLimit, ReadRange};
use std::time::Duration;

pub async fn the_oldest_go_when_a_history_is_full_and_a_reader_can_tell(bed: &Bed) {
    let channel = channel("c:full");
    bed.publish_all(&channel, 1..=10, retention(3, HOUR)).await;
    let page = bed.read(&channel, ReadRange::After(2), ALL).await;
    assert_eq!(offsets(&page), [8, 9, 10], "it begins later than asked");
    assert_eq!(page.top, 10);
    bed.publish_all(&channel, [11], retention(1, HOUR)).await;
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [11], "a smaller size holds from the next publish on");
}

// NL-1.9
pub async fn a_history_ends_after_its_last_publication_and_the_position_stays(bed: &Bed) {
    let channel = channel("c:ends");
    let ttl = Duration::from_secs(3);
    let keep = retention(100, ttl);
    bed.publish_all(&channel, [1], keep).await;
    (bed.pass)(Duration::from_secs(2)).await;
    bed.publish_all(&channel, [2], keep).await;
    (bed.pass)(Duration::from_secs(2)).await;
    let before = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(offsets(&before), [1, 2], "each publish restarts the time of all");
    (bed.pass)(Duration::from_secs(2)).await;
    let after = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!((after.epoch, after.top, offsets(&after)), (before.epoch, 2, vec![]));
    let next = bed.publish(&channel, kept(3, keep)).await.position.expect("kept");
    assert_eq!((next.epoch, next.offset), (before.epoch, 3));
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [3], "what had ended does not come back");
}

pub async fn spans_choose_what_is_read(bed: &Bed) {
    let channel = channel("c:spans");
    bed.publish_all(&channel, 1..=8, retention(5, HOUR)).await;
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
        let page = bed.read(&channel, range, ALL).await;
        assert_eq!((offsets(&page), page.top), (expected, 8), "{range:?}");
    }
}

// NL-4.8
pub async fn pages_are_bounded_by_entries_and_bytes(bed: &Bed) {
    let channel = channel("c:pages");
    bed.publish_all(&channel, 1..=9, KEEP).await;
    let size = bed.read(&channel, ReadRange::After(0), ALL).await.publications[0].size();
    for (entries, bytes, expected) in [
        (3, usize::MAX, vec![1, 2, 3]),
        (0, usize::MAX, vec![]),
        (usize::MAX, 2 * size, vec![1, 2]),
        (usize::MAX, 2 * size + size / 2, vec![1, 2]),
        (usize::MAX, 0, vec![1]),
        (2, 3 * size, vec![1, 2]),
    ] {
        assert_eq!(offsets(&bed.read(&channel, ReadRange::After(0), PageLimit { entries, bytes }).await), expected, "{entries} {bytes}");
    }
    let newest = PageLimit { entries: 2, bytes: usize::MAX };
    assert_eq!(offsets(&bed.read(&channel, ReadRange::Before(None), newest).await), [9, 8]);
}

// NL-1.9
pub async fn the_first_read_makes_the_epoch_that_publishes_go_on_in(bed: &Bed) {
    for (name, subscribed) in [("c:unseen", false), ("c:joined", true)] {
        let channel = channel(name);
        if subscribed {
            bed.join(&channel, 0).await;
        }
        let page = bed.read(&channel, ReadRange::Top, ALL).await;
        assert_eq!((page.top, page.forks.len(), page.publications.len()), (0, 0, 0));
        assert_eq!(bed.read(&channel, ReadRange::Top, ALL).await.epoch, page.epoch);
        let first = bed.publish(&channel, kept(1, KEEP)).await.position.expect("kept");
        assert_eq!((first.epoch, first.offset), (page.epoch, 1));
    }
    let (one, two) = (channel("c:unseen"), channel("c:joined"));
    assert_ne!(bed.read(&one, ReadRange::Top, ALL).await.epoch, bed.read(&two, ReadRange::Top, ALL).await.epoch);
}

// NL-1.9
pub async fn clearing_keeps_epoch_and_offsets(bed: &Bed) {
    let channel = channel("c:clear");
    bed.broker.clear(&channel).await.expect("nothing to clear is no error");
    bed.publish_all(&channel, 1..=3, KEEP).await;
    let before = bed.read(&channel, ReadRange::Top, ALL).await;
    bed.broker.clear(&channel).await.expect("cleared");
    let after = bed.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!((after.epoch, after.top, offsets(&after)), (before.epoch, 3, vec![]));
    assert_eq!(bed.publish_all(&channel, [4], KEEP).await, 4);
    assert_eq!(bed.offsets(&channel, ReadRange::After(0)).await, [4]);
}
