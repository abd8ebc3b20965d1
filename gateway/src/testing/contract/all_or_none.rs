//! Several publications of which all are stored or none.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP};
use crate::{
    broker::{BrokerError, NewPublications, PublishIdentity, Published},
    testing::fixtures::{ALL, HOUR, channel, data, json, kept, key, offset, producer, retention},
};
use gateway_core::model::{ChannelName, ReadRange, Retention, Span, Tags};
use std::sync::Arc;

fn several(numbers: std::ops::Range<u64>, retention: Retention, identity: Option<PublishIdentity>) -> NewPublications {
    let tags: Tags = [("a".to_owned(), "b".to_owned())].into();
    NewPublications { items: numbers.map(|number| (data(number).into(), tags.clone())).collect(), traceparent: None, retention, identity }
}

impl BrokerFixture {
    async fn publish_several(&self, channel: &ChannelName, new: NewPublications) -> Published<Span> {
        self.broker.publish_all(channel, new).await.expect("published")
    }
}

fn offsets(published: Published<Span>) -> (u64, u64, bool) {
    let span = published.position.expect("stored");
    (span.first, span.last, published.replayed)
}

// NL-2.19
pub async fn publications_that_are_stored_together_have_consecutive_offsets(fixture: &BrokerFixture) {
    let channel = channel("c:together");
    let mut inbox = fixture.join(&channel, 0).await;
    fixture.publish_all(&channel, [100], KEEP).await;
    let published = fixture.publish_several(&channel, several(0..200, KEEP, None)).await;
    assert_eq!(offsets(published), (2, 201, false));
    fixture.publish_all(&channel, [101], KEEP).await;
    let page = fixture.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(published.position.map(|span| span.epoch), Some(page.epoch));
    let numbers: Vec<_> = page.publications.iter().map(|one| json(one).parse::<u64>().expect("a number")).collect();
    let expected: Vec<_> = [100].into_iter().chain(0..200).chain([101]).collect();
    assert_eq!(numbers, expected);
    assert_eq!(page.publications[1].tags["a"], "b");
    for (at, number) in (1..).zip(expected) {
        let (_, arrived) = inbox.publication().await;
        assert_eq!((offset(&arrived), json(&arrived)), (at, &*number.to_string()));
    }
}

// NL-2.10, NL-2.19
pub async fn publications_that_are_stored_together_have_one_identity(fixture: &BrokerFixture) {
    let channel = channel("c:together-once");
    let three = |identity| several(0..3, KEEP, Some(identity));
    for replayed in [false, true] {
        assert_eq!(offsets(fixture.publish_several(&channel, three(key("api", "k", 1))).await), (1, 3, replayed));
    }
    let another = fixture.broker.publish_all(&channel, three(key("api", "k", 2))).await;
    assert_eq!(another, Err(BrokerError::IdempotencyMismatch));
    for replayed in [false, true] {
        assert_eq!(offsets(fixture.publish_several(&channel, three(producer("p", 0, 0))).await), (4, 6, replayed));
    }
    let gap = fixture.broker.publish_all(&channel, three(producer("p", 0, 2))).await;
    assert_eq!(gap, Err(BrokerError::SequenceGap { expected: 1 }), "it is one number for all");
    assert_eq!(offsets(fixture.publish_several(&channel, three(producer("p", 0, 1))).await), (7, 9, false));
    assert_eq!(offsets(fixture.publish_several(&channel, three(producer("p", 0, 0))).await), (4, 6, true));
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, (1..=9).collect::<Vec<_>>());
}

// NL-2.19
pub async fn publications_that_are_stored_together_may_fill_the_history(fixture: &BrokerFixture) {
    let channel = channel("c:together-trimmed");
    let keep = retention(4, HOUR);
    fixture.publish_all(&channel, 0..5, keep).await;
    assert_eq!(offsets(fixture.publish_several(&channel, several(0..4, keep, None)).await), (6, 9, false));
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, [6, 7, 8, 9]);
}

// NL-2.19
pub async fn nothing_comes_between_publications_that_are_stored_together(fixture: &BrokerFixture) {
    const EACH: u64 = 30;
    let channel = channel("c:together-at-once");
    let tasks: Vec<_> = (0..4_u64)
        .map(|task| {
            let (broker, channel) = (Arc::clone(&fixture.broker), channel.clone());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    if task == 0 {
                        broker.publish(&channel, kept(1000, KEEP)).await.map(drop).expect("published");
                    } else {
                        let published = broker.publish_all(&channel, several(task * 10..task * 10 + 5, KEEP, None)).await;
                        let span = published.expect("published").position.expect("stored");
                        assert_eq!(span.last - span.first, 4);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let page = fixture.read(&channel, ReadRange::After(0), ALL).await;
    let mut numbers = page.publications.iter().map(|one| json(one).parse::<u64>().expect("a number"));
    let mut count = 0;
    while let Some(first) = numbers.next() {
        count += 1;
        if first != 1000 {
            let rest: Vec<_> = numbers.by_ref().take(4).collect();
            assert_eq!(rest, (first + 1..first + 5).collect::<Vec<_>>());
        }
    }
    assert_eq!(count, 4 * EACH);
}
