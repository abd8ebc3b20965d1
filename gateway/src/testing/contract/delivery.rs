//! Subscriptions of workers, and what comes to their mailboxes.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{Bed, KEEP};
use crate::{
    broker::{Announcement, Delivery, Post},
    testing::fixtures::{ALL, channel, client, offset, worker},
};
use gateway_core::model::ReadRange;
use std::sync::Arc;

// NL-5.1
pub async fn subscribed_means_that_everything_from_now_on_arrives(bed: &Bed) {
    let channel = channel("c:join");
    bed.publish_all(&channel, [1], KEEP).await;
    let mut inbox = bed.join(&channel, 0).await;
    bed.join(&channel, 0).await;
    bed.publish_all(&channel, [2, 3], KEEP).await;
    for expected in [2, 3] {
        assert_eq!(offset(&inbox.publication().await.1), expected, "once, although subscribed twice");
    }
    bed.broker.unsubscribe(&channel, worker(0));
    bed.broker.unsubscribe(&channel, worker(0));
    bed.broker.unsubscribe(&channel, worker(1));
    bed.broker.subscribe(&channel, worker(0), Some(KEEP)).await.expect("subscribed");
    bed.publish_all(&channel, [4], KEEP).await;
    assert_eq!(offset(&inbox.publication().await.1), 4, "subscribing again right away works");
}

pub async fn what_a_mailbox_left_out_can_be_read(bed: &Bed) {
    let channel = channel("c:dirty");
    let mut slow = bed.join(&channel, 0).await;
    let mut fast = bed.join(&channel, 1).await;
    for number in 1..=400 {
        bed.publish_all(&channel, [number], KEEP).await;
        assert_eq!(offset(&fast.publication().await.1), number, "others are not concerned");
    }
    let mut next = 1;
    loop {
        match slow.next().await {
            Post::Delivery(_, Delivery::Publication(publication)) => assert_eq!(offset(&publication), next),
            Post::Dirty(name) => break assert_eq!(name, channel),
            other => panic!("unexpected {other:?}"),
        }
        next += 1;
    }
    assert_eq!(next, 257, "a quarter of the mailbox");
    assert_eq!(bed.offsets(&channel, ReadRange::After(256)).await, (257..=400).collect::<Vec<_>>());
    bed.publish_all(&channel, [401], KEEP).await;
    assert_eq!(offset(&slow.publication().await.1), 401);
}

pub async fn announcements_reach_subscribers_and_are_not_kept(bed: &Bed) {
    let channel = channel("c:announce");
    let mut inbox = bed.join(&channel, 0).await;
    let info = client("alice");
    for announcement in [Announcement::Join(Arc::clone(&info)), Announcement::Leave(info)] {
        bed.broker.announce(&channel, announcement.clone()).await.expect("announced");
        match inbox.next().await {
            Post::Delivery(name, Delivery::Announcement(arrived)) => assert_eq!((name, arrived), (channel.clone(), announcement)),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(bed.read(&channel, ReadRange::After(0), ALL).await.top, 0);
}
