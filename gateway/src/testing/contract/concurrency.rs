//! Several tasks that publish or subscribe at the same time.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP, offsets};
use crate::{
    broker::{BrokerError, Delivery, MailboxEntry, NewPublication},
    testing::fixtures::{ALL, HOUR, channel, json, kept, key, offset, retention},
};
use gateway_core::model::{ChannelName, ReadRange, Retention};
use std::{collections::HashSet, sync::Arc};

const PUBLISHERS: u64 = 4;

/// Publishes from several tasks at the same time. Returns when all are finished.
async fn publish_at_once(fixture: &BrokerFixture, channel: &ChannelName, each: u64, retention: Retention) {
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (broker, channel) = (Arc::clone(&fixture.broker), channel.clone());
        tokio::spawn(async move {
            let mut last = 0;
            for number in 0..each {
                let published = broker.publish(&channel, kept([publisher, number], retention)).await.expect("published");
                let offset = published.position.expect("kept").offset;
                assert!(offset > last, "one publisher's own order is that of the offsets");
                last = offset;
                tokio::task::yield_now().await;
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.expect("no publisher fails");
    }
}

pub async fn concurrent_publishers_make_one_order(fixture: &BrokerFixture) {
    const EACH: u64 = 500;
    let channel = channel("c:threads");
    let keep = retention(u32::MAX, HOUR);
    let consumers: Vec<_> = [fixture.join(&channel, 0).await, fixture.join(&channel, 1).await]
        .into_iter()
        .map(|mut inbox| {
            let (broker, channel) = (Arc::clone(&fixture.broker), channel.clone());
            tokio::spawn(async move {
                let (mut last, mut dirty) = (0, false);
                while last < PUBLISHERS * EACH {
                    match inbox.next().await {
                        MailboxEntry::Delivery(_, Delivery::Publication(publication)) => {
                            let offset = offset(&publication);
                            assert!(offset == last + 1 || (dirty && offset > last), "{offset} came after {last}");
                            (last, dirty) = (offset, false);
                        }
                        MailboxEntry::Dirty(_) => {
                            dirty = true;
                            let top = broker.read(&channel, keep, ReadRange::Top, ALL).await.expect("read").top;
                            if top == PUBLISHERS * EACH {
                                break;
                            }
                        }
                        other => panic!("unexpected {other:?}"),
                    }
                }
            })
        })
        .collect();
    publish_at_once(fixture, &channel, EACH, keep).await;
    for consumer in consumers {
        consumer.await.expect("the order holds");
    }
    let page = fixture.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(offsets(&page), (1..=PUBLISHERS * EACH).collect::<Vec<_>>());
    let distinct: HashSet<_> = page.publications.iter().map(|publication| json(publication)).collect();
    assert_eq!(distinct.len() as u64, PUBLISHERS * EACH);
}

pub async fn a_read_is_of_one_moment(fixture: &BrokerFixture) {
    let channel = channel("c:moment");
    let keep = retention(50, HOUR);
    let reader = {
        let (broker, channel) = (Arc::clone(&fixture.broker), channel.clone());
        tokio::spawn(async move {
            let mut top = 0;
            while top < PUBLISHERS * 300 {
                let page = broker.read(&channel, keep, ReadRange::After(0), ALL).await.expect("read");
                assert!(page.top >= top);
                top = page.top;
                let first = top.saturating_sub(50) + 1;
                assert_eq!(offsets(&page), (first..=top).collect::<Vec<_>>());
                tokio::task::yield_now().await;
            }
        })
    };
    publish_at_once(fixture, &channel, 300, keep).await;
    reader.await.expect("every page is whole");
}

pub async fn a_key_published_many_times_at_once_is_published_once(fixture: &BrokerFixture) {
    let channel = channel("c:key-at-once");
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let (broker, channel) = (Arc::clone(&fixture.broker), channel.clone());
            let publication = NewPublication { identity: Some(key("api", "k", 1)), ..kept("x", KEEP) };
            tokio::spawn(async move { broker.publish(&channel, publication).await })
        })
        .collect();
    let mut first = 0;
    for attempt in attempts {
        match attempt.await.expect("no attempt panics") {
            Ok(published) => first += usize::from(!published.replayed),
            Err(error) => assert_eq!(error, BrokerError::IdempotencyInProgress),
        }
    }
    assert_eq!((first, fixture.offsets(&channel, ReadRange::After(0)).await), (1, vec![1]));
}
