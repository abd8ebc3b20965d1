//! Publishes of entries of ingest.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::BrokerFixture;
use crate::{
    broker::{BrokerError, IdempotencyKey, IngestIdentity, NewPublication, PublishIdentity, Published},
    testing::fixtures::{HOUR, channel, ephemeral, json, kept, retention},
};
use gateway_core::{
    model::{ChannelName, ProducerNumber, ReadRange, Retention},
    queue::{EntryId, EntryPlace},
};
use shared_proto::producer::Producer;
use std::time::Duration;

/// Longer than idempotency keys are remembered, so that the channel remembers its entries for longer, too.
const KEEP: Retention = Retention { size: 1000, ttl: HOUR.saturating_mul(24) };

/// The place of an entry in partition 3.
fn place(epoch: u64, entry: u64, after: impl Into<Option<u64>>) -> EntryPlace {
    let id = |seq| EntryId { ms: 1_795_891_200_000, seq };
    EntryPlace { partition: 3, epoch, entry: id(entry), after: after.into().map(id) }
}

/// The identity of an entry with this key, or with its own id as the key.
fn identity(place: EntryPlace, key: Option<&str>) -> IngestIdentity {
    let key = key.map_or_else(|| format!("{}:{}", place.partition, place.entry), Into::into);
    IngestIdentity { key: IdempotencyKey { scope: "ingest".into(), key: key.into(), fingerprint: [1; 32] }, place, producer: None }
}

impl BrokerFixture {
    /// Publishes an entry, whose data is its number. Returns its offset if it was published now, or 0.
    async fn ingest_as(&self, channel: &ChannelName, identity: IngestIdentity) -> Result<u64, BrokerError> {
        let number = identity.place.entry.seq;
        let publication = NewPublication { identity: Some(PublishIdentity::Ingest(Box::new(identity))), ..kept(number, KEEP) };
        let Published { position, replayed } = self.broker.publish(channel, publication).await?;
        Ok(position.filter(|_| !replayed).map_or(0, |position| position.offset))
    }

    async fn ingest(&self, channel: &ChannelName, place: EntryPlace) -> Result<u64, BrokerError> {
        self.ingest_as(channel, identity(place, None)).await
    }

    async fn ingest_keyed(&self, channel: &ChannelName, place: EntryPlace, key: &str) -> Result<u64, BrokerError> {
        self.ingest_as(channel, identity(place, Some(key))).await
    }

    async fn ingested(&self, channel: &ChannelName) -> Vec<u64> {
        let page = self.read(channel, ReadRange::After(0), super::ALL).await;
        page.publications.iter().map(|publication| json(publication).parse().expect("a number")).collect()
    }
}

const STALE: Result<u64, BrokerError> = Err(BrokerError::IngestStale { epoch: 6 });

// NL-8.12
pub async fn an_entry_does_not_overtake_the_one_before_it(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-order");
    let mut inbox = fixture.join(&channel, 0).await;
    assert_eq!(fixture.ingest(&channel, place(5, 2, 1)).await, Err(BrokerError::IngestEarly));
    assert_eq!(fixture.ingest(&channel, place(5, 1, None)).await, Ok(1));
    assert_eq!(fixture.ingest(&channel, place(5, 4, 2)).await, Err(BrokerError::IngestEarly));
    assert_eq!(fixture.ingest(&channel, place(5, 2, 1)).await, Ok(2));
    assert_eq!(fixture.ingest(&channel, place(5, 4, 2)).await, Ok(3));
    assert_eq!(fixture.ingest(&channel, place(5, 9, None)).await, Ok(4), "the owner knows what became of those before it");
    let elsewhere = EntryPlace { partition: 4, ..place(1, 3, None) };
    assert_eq!(fixture.ingest(&channel, elsewhere).await, Ok(5), "partitions count for themselves");
    for expected in [1, 2, 4, 9, 3] {
        assert_eq!(json(&inbox.publication().await.1), expected.to_string());
    }
}

// NL-8.10, NL-8.11
pub async fn an_entry_is_published_once_even_after_its_key_is_forgotten(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-once");
    for entry in 1..=3 {
        assert_eq!(fixture.ingest(&channel, place(5, entry, None)).await, Ok(entry));
    }
    assert_eq!(fixture.ingest(&channel, place(5, 2, 1)).await, Ok(0), "answered by its key");
    (fixture.pass)(fixture.idempotency_ttl + Duration::from_secs(1)).await;
    for entry in 1..=3 {
        assert_eq!(fixture.ingest(&channel, place(5, entry, None)).await, Err(BrokerError::IngestPassed));
    }
    assert_eq!(fixture.ingest(&channel, place(5, 4, 3)).await, Ok(4));
    assert_eq!(fixture.ingested(&channel).await, [1, 2, 3, 4]);
}

// NL-8.11
pub async fn an_owner_with_an_older_epoch_is_refused(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-stale");
    assert_eq!(fixture.ingest(&channel, place(5, 1, None)).await, Ok(1));
    assert_eq!(fixture.ingest(&channel, place(5, 2, 1)).await, Ok(2));
    assert_eq!(fixture.ingest(&channel, place(6, 1, None)).await, Ok(0), "the new owner begins with what is pending");
    for entry in [1, 2, 3] {
        assert_eq!(fixture.ingest(&channel, place(5, entry, None)).await, STALE, "{entry}");
    }
    assert_eq!(fixture.ingest(&channel, place(6, 3, 1)).await, Ok(3), "what the old owner published is passed");
    (fixture.pass)(fixture.idempotency_ttl + Duration::from_secs(1)).await;
    assert_eq!(fixture.ingest(&channel, place(7, 2, None)).await, Err(BrokerError::IngestPassed));
    assert_eq!(
        fixture.ingest(&channel, place(6, 4, None)).await,
        Err(BrokerError::IngestStale { epoch: 7 }),
        "an entry that was passed counts"
    );
    assert_eq!(fixture.ingested(&channel).await, [1, 2, 3]);
}

// NL-8.10, NL-8.12
pub async fn an_entry_that_repeats_another_moves_the_channel_on(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-key");
    assert_eq!(fixture.ingest_keyed(&channel, place(5, 1, None), "k").await, Ok(1));
    assert_eq!(fixture.ingest_keyed(&channel, place(5, 3, 2), "k").await, Err(BrokerError::IngestEarly), "a repeat keeps its place");
    assert_eq!(fixture.ingest(&channel, place(5, 2, 1)).await, Ok(2));
    assert_eq!(fixture.ingest_keyed(&channel, place(5, 3, 2), "k").await, Ok(0));
    assert_eq!(fixture.ingest(&channel, place(5, 4, 3)).await, Ok(3), "the repeat is passed");
    let other = IngestIdentity {
        key: IdempotencyKey { fingerprint: [2; 32], ..identity(place(5, 5, 4), Some("k")).key },
        ..identity(place(5, 5, 4), None)
    };
    assert_eq!(fixture.ingest_as(&channel, other).await, Err(BrokerError::IdempotencyMismatch));
    assert_eq!(fixture.ingest(&channel, place(5, 6, 5)).await, Err(BrokerError::IngestEarly), "what was refused is not passed");
    assert_eq!(fixture.ingested(&channel).await, [1, 2, 4]);
}

// NL-2.15, NL-8.11
pub async fn the_number_of_an_entrys_producer_is_judged_after_its_place(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-producer");
    let numbered = async |place: EntryPlace, epoch, seq| {
        let producer = ProducerNumber::new(Producer { id: "p".into(), epoch, seq }).expect("valid");
        fixture.ingest_as(&channel, IngestIdentity { producer: Some(producer), ..identity(place, None) }).await
    };
    assert_eq!(numbered(place(5, 1, None), 1, 0).await, Ok(1));
    assert_eq!(numbered(place(5, 3, 2), 1, 2).await, Err(BrokerError::IngestEarly));
    assert_eq!(numbered(place(5, 2, 1), 1, 2).await, Err(BrokerError::SequenceGap { expected: 1 }));
    assert_eq!(numbered(place(5, 2, 1), 0, 7).await, Err(BrokerError::ProducerFenced { epoch: 1 }));
    assert_eq!(numbered(place(5, 3, None), 1, 1).await, Ok(2));
    assert_eq!(numbered(place(5, 4, 3), 1, 1).await, Ok(0), "another entry with the same number");
    assert_eq!(numbered(place(5, 5, 4), 1, 2).await, Ok(3), "which is passed");
    (fixture.pass)(fixture.idempotency_ttl + Duration::from_secs(1)).await;
    assert_eq!(numbered(place(6, 1, None), 9, 9).await, Err(BrokerError::IngestPassed), "the place comes first");
    assert_eq!(numbered(place(5, 6, None), 1, 3).await, STALE);
    assert_eq!(fixture.ingested(&channel).await, [1, 3, 5]);
}

pub async fn without_retention_only_the_key_of_an_entry_counts(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-ephemeral");
    let mut inbox = fixture.join(&channel, 0).await;
    let ingest = async |place| {
        let identity = Some(PublishIdentity::Ingest(Box::new(identity(place, None))));
        fixture
            .broker
            .publish(&channel, NewPublication { identity, ..ephemeral(place.entry.seq) })
            .await
            .map(|published| published.replayed)
    };
    assert_eq!(ingest(place(5, 2, None)).await, Ok(false));
    assert_eq!(ingest(place(5, 2, None)).await, Ok(true));
    assert_eq!(ingest(place(4, 1, None)).await, Ok(false), "there is no place");
    for expected in [2, 1] {
        assert_eq!(json(&inbox.publication().await.1), expected.to_string());
    }
}

// NL-8.11
pub async fn a_channel_remembers_an_entry_after_its_publications_expired(fixture: &BrokerFixture) {
    let channel = channel("c:ingest-expired");
    let publish = async |place| {
        let identity = Some(PublishIdentity::Ingest(Box::new(identity(place, None))));
        let publication = NewPublication { identity, ..kept(place.entry.seq, retention(10, Duration::from_secs(1))) };
        fixture.broker.publish(&channel, publication).await
    };
    publish(place(5, 1, None)).await.expect("published");
    (fixture.pass)(Duration::from_millis(1500)).await;
    assert!(fixture.offsets(&channel, ReadRange::After(0)).await.is_empty());
    assert!(publish(place(5, 1, None)).await.is_ok_and(|published| published.replayed), "by its key");
    let elsewhere = identity(place(5, 1, None), Some("other"));
    assert_eq!(fixture.ingest_as(&channel, elsewhere).await, Err(BrokerError::IngestPassed));
    assert_eq!(publish(place(5, 2, 1)).await.expect("published").position.map(|position| position.offset), Some(2));
}
