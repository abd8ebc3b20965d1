//! Publishes with the number of a producer.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP};
use crate::{
    broker::{BrokerError, NewPublication, Published},
    testing::fixtures::{ALL, channel, ephemeral, json, kept, key, producer, retention},
};
use gateway_core::{
    channel::Producers,
    model::{ChannelName, ReadRange},
};
use std::sync::Arc;

/// A producer's publish, whose data is its number.
fn numbered(id: &str, epoch: u64, seq: u64) -> NewPublication {
    NewPublication { identity: Some(producer(id, epoch, seq)), ..kept(seq, KEEP) }
}

impl BrokerFixture {
    async fn produce(&self, channel: &ChannelName, id: &str, epoch: u64, seq: u64) -> Result<Published, BrokerError> {
        self.broker.publish(channel, numbered(id, epoch, seq)).await
    }

    async fn numbers(&self, channel: &ChannelName) -> Vec<u64> {
        let page = self.read(channel, ReadRange::After(0), ALL).await;
        page.publications.iter().map(|publication| json(publication).parse().expect("a number")).collect()
    }
}

// NL-2.15, NL-2.18
pub async fn a_producers_numbers_are_carried_out_once_and_in_order(fixture: &BrokerFixture) {
    let channel = channel("c:producer");
    let mut inbox = fixture.join(&channel, 0).await;
    let produce = async |epoch, seq| fixture.produce(&channel, "p", epoch, seq).await;
    let gap = |expected| Err(BrokerError::SequenceGap { expected });
    assert_eq!(produce(3, 1).await, gap(0), "a new producer begins with 0");
    let mut first = None;
    for seq in 0..20 {
        let published = produce(3, seq).await.expect("the next");
        assert!(!published.replayed);
        first = first.or(published.position);
    }
    let top = fixture.produce(&channel, "p", 3, 19).await.expect("done");
    assert_eq!(top.position.map(|position| position.offset), Some(20));
    let repeated = async |seq| produce(3, seq).await.expect("done");
    assert!(top.replayed && repeated(4).await.replayed);
    assert_eq!(repeated(4).await.position.map(|position| position.offset), Some(5), "the last 16 with their position");
    assert_eq!(repeated(3).await, Published { position: None, replayed: true }, "older ones without");
    for (epoch, seq, error) in [
        (3, 21, gap(20)),
        (3, 1 << 52, gap(20)),
        (2, 20, Err(BrokerError::ProducerFenced { epoch: 3 })),
        (2, 0, Err(BrokerError::ProducerFenced { epoch: 3 })),
        (4, 1, gap(0)),
        (4, 20, gap(0)),
    ] {
        assert_eq!(produce(epoch, seq).await, error, "{epoch}, {seq}");
    }
    assert_eq!(fixture.numbers(&channel).await, (0..20).collect::<Vec<_>>(), "what was refused or repeated changed nothing");
    assert_eq!(produce((1 << 53) - 1, 0).await.expect("a higher epoch").position.map(|position| position.offset), Some(21));
    assert_eq!(produce(3, 20).await, Err(BrokerError::ProducerFenced { epoch: (1 << 53) - 1 }));
    for expected in (0..20).chain([0]) {
        assert_eq!(json(&inbox.publication().await.1), expected.to_string(), "delivered once");
    }
}

// NL-2.15
pub async fn producers_and_channels_count_for_themselves(fixture: &BrokerFixture) {
    let (one, two) = (channel("c:producer-one"), channel("c:producer-two"));
    for channel in [&one, &two] {
        for id in ["p", "P", "~!|{}%"] {
            fixture.produce(channel, id, 0, 0).await.expect("the first");
            fixture.publish(channel, kept(7, KEEP)).await;
            fixture.publish(channel, NewPublication { identity: Some(key("api", id, 1)), ..kept(8, KEEP) }).await;
            fixture.publish(channel, ephemeral(9)).await;
            assert!(!fixture.produce(channel, id, 0, 1).await.expect("the next").replayed, "others do not count");
        }
        assert_eq!(fixture.numbers(channel).await, [0, 7, 8, 1].repeat(3));
    }
    fixture.broker.clear(&one).await.expect("cleared");
    assert!(fixture.produce(&one, "p", 0, 1).await.expect("done").replayed, "numbers outlive the publications");
    assert!(!fixture.produce(&one, "p", 0, 2).await.expect("the next").replayed);
}

// NL-2.18
pub async fn a_channel_remembers_its_last_producers(fixture: &BrokerFixture) {
    let channel = channel("c:producers");
    for index in 0..Producers::MOST {
        fixture.produce(&channel, &format!("p{index}"), 5, 0).await.expect("the first");
    }
    fixture.produce(&channel, "p0", 5, 1).await.expect("the next");
    fixture.produce(&channel, "one-more", 0, 0).await.expect("the first");
    assert!(fixture.produce(&channel, "p0", 5, 1).await.expect("done").replayed);
    assert!(fixture.produce(&channel, "p2", 5, 0).await.expect("done").replayed);
    assert_eq!(fixture.produce(&channel, "p1", 5, 1).await, Err(BrokerError::SequenceGap { expected: 0 }), "forgotten");
    assert!(!fixture.produce(&channel, "p1", 6, 0).await.expect("begins a new epoch").replayed);
}

pub async fn a_producer_is_remembered_after_its_publications_expired(fixture: &BrokerFixture) {
    let channel = channel("c:producer-expired");
    let short = retention(10, std::time::Duration::from_secs(1));
    let publish = async |seq| {
        let publication = NewPublication { identity: Some(producer("p", 0, seq)), ..kept(seq, short) };
        fixture.broker.publish(&channel, publication).await.expect("published")
    };
    let first = publish(0).await;
    (fixture.pass)(std::time::Duration::from_millis(1500)).await;
    assert!(fixture.offsets(&channel, ReadRange::After(0)).await.is_empty());
    assert_eq!(publish(0).await, Published { replayed: true, ..first });
    assert_eq!(publish(1).await.position.map(|position| position.offset), Some(2));
}

// NL-2.15
pub async fn a_number_published_many_times_at_once_is_published_once(fixture: &BrokerFixture) {
    let channel = channel("c:number-at-once");
    for seq in 0..20 {
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let (broker, channel) = (Arc::clone(&fixture.broker), channel.clone());
                tokio::spawn(async move { broker.publish(&channel, numbered("p", 0, seq)).await })
            })
            .collect();
        let mut first = 0;
        for attempt in attempts {
            let published = attempt.await.expect("no attempt panics").expect("done");
            assert_eq!(published.position.map(|position| position.offset), Some(seq + 1));
            first += usize::from(!published.replayed);
        }
        assert_eq!(first, 1);
    }
    assert_eq!(fixture.numbers(&channel).await, (0..20).collect::<Vec<_>>());
}
