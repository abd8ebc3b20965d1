//! Subscriptions of workers, and what arrives in their mailboxes.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP};
use crate::{
    broker::{Announcement, Delivery, MailboxEntry},
    testing::fixtures::{ALL, channel, client, offset, worker},
};
use gateway_core::model::ReadRange;
use std::sync::Arc;

// NL-5.1
pub async fn subscribed_means_that_everything_from_now_on_arrives(fixture: &BrokerFixture) {
    let channel = channel("c:join");
    fixture.publish_all(&channel, [1], KEEP).await;
    let mut inbox = fixture.join(&channel, 0).await;
    fixture.join(&channel, 0).await;
    fixture.publish_all(&channel, [2, 3], KEEP).await;
    for expected in [2, 3] {
        assert_eq!(offset(&inbox.publication().await.1), expected, "once, although subscribed twice");
    }
    fixture.broker.unsubscribe(&channel, worker(0));
    fixture.broker.unsubscribe(&channel, worker(0));
    fixture.broker.unsubscribe(&channel, worker(1));
    fixture.broker.subscribe(&channel, worker(0), Some(KEEP)).await.expect("subscribed");
    fixture.publish_all(&channel, [4], KEEP).await;
    assert_eq!(offset(&inbox.publication().await.1), 4, "subscribing again right away works");
}

pub async fn what_a_mailbox_left_out_can_be_read(fixture: &BrokerFixture) {
    let channel = channel("c:dirty");
    let mut slow = fixture.join(&channel, 0).await;
    let mut fast = fixture.join(&channel, 1).await;
    for number in 1..=400 {
        fixture.publish_all(&channel, [number], KEEP).await;
        assert_eq!(offset(&fast.publication().await.1), number, "others are not concerned");
    }
    let mut next = 1;
    loop {
        match slow.next().await {
            MailboxEntry::Delivery(_, Delivery::Publication(publication)) => assert_eq!(offset(&publication), next),
            MailboxEntry::Dirty(name) => break assert_eq!(name, channel),
            other => panic!("unexpected {other:?}"),
        }
        next += 1;
    }
    assert_eq!(next, 257, "a quarter of the mailbox");
    assert_eq!(fixture.offsets(&channel, ReadRange::After(256)).await, (257..=400).collect::<Vec<_>>());
    fixture.publish_all(&channel, [401], KEEP).await;
    assert_eq!(offset(&slow.publication().await.1), 401);
}

pub async fn announcements_reach_subscribers_and_are_not_kept(fixture: &BrokerFixture) {
    let channel = channel("c:announce");
    let mut inbox = fixture.join(&channel, 0).await;
    let info = client("alice");
    for announcement in [Announcement::Join(Arc::clone(&info)), Announcement::Leave(info)] {
        fixture.broker.announce(&channel, announcement.clone()).await.expect("announced");
        match inbox.next().await {
            MailboxEntry::Delivery(name, Delivery::Announcement(arrived)) => assert_eq!((name, arrived), (channel.clone(), announcement)),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(fixture.read(&channel, ReadRange::After(0), ALL).await.top, 0);
}
