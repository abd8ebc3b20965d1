//! Publications: what arrives, and what a repeated publish does.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::{BrokerFixture, KEEP};
use crate::{
    broker::{BrokerError, NewPublication, Published},
    testing::fixtures::{ALL, channel, client, data, ephemeral, json, kept, key, offset, retention},
};
use gateway_core::model::{CONTENT_TYPE, Content, Publication, ReadRange, Tags};

pub async fn a_publication_arrives_and_is_kept_as_it_was_sent(fixture: &BrokerFixture) {
    let channel = channel("c:whole");
    let mut inbox = fixture.join(&channel, 0).await;
    let sent = NewPublication {
        content: data(serde_json::json!({"text": "ä\n\"", "n": [1, null]})).into(),
        tags: Tags::from([("a".into(), "b".into())]),
        info: Some(Box::new((*client("alice")).clone())),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        retention: Some(KEEP),
        identity: None,
    };
    let published = fixture.publish(&channel, sent.clone()).await;
    let (name, arrived) = inbox.publication().await;
    assert_eq!(name, channel);
    assert!(arrived.time_ms > 1_700_000_000_000, "in milliseconds since 1970");
    let expected = Publication {
        position: published.position,
        content: sent.content,
        tags: sent.tags,
        info: sent.info,
        time_ms: arrived.time_ms,
        traceparent: sent.traceparent,
    };
    assert_eq!(*arrived, expected);
    let page = fixture.read(&channel, ReadRange::After(0), ALL).await;
    assert_eq!(*page.publications[0], expected);
    assert_eq!(Some((page.epoch, page.top)), published.position.map(|position| (position.epoch, position.offset)));
}

pub async fn text_and_bytes_arrive_and_are_kept_as_they_were_sent(fixture: &BrokerFixture) {
    let channel = channel("c:kinds");
    let mut inbox = fixture.join(&channel, 0).await;
    let all: Vec<u8> = (0..=255).collect();
    let contents = [
        Content::Text("ü \"\\ \0 \u{2028}\n{".into()),
        Content::Text("".into()),
        Content::Text("{\"a\": 1}".into()),
        Content::Bytes(all.into()),
        Content::Bytes([].into()),
        Content::Bytes(b"[1]".as_slice().into()),
        data(serde_json::Value::Null).into(),
    ];
    for (content, retention) in contents.iter().flat_map(|content| [(content, Some(KEEP)), (content, None)]) {
        let tags: Tags = content.default_type().map(|it| (CONTENT_TYPE.to_owned(), it.to_owned())).into_iter().collect();
        let sent = NewPublication { content: content.clone(), tags: tags.clone(), retention, ..ephemeral(1) };
        fixture.publish(&channel, sent).await;
        let (_, arrived) = inbox.publication().await;
        assert_eq!((&arrived.content, &arrived.tags, arrived.position.is_some()), (content, &tags, retention.is_some()));
    }
    let page = fixture.read(&channel, ReadRange::After(0), ALL).await;
    let kept: Vec<_> = page.publications.iter().map(|it| it.content.clone()).collect();
    assert_eq!(kept, contents);
}

pub async fn offsets_grow_by_one_and_are_the_order_in_every_mailbox(fixture: &BrokerFixture) {
    let (one, two) = (channel("c:one"), channel("c:two"));
    let mut inboxes = [fixture.join(&one, 0).await, fixture.join(&one, 1).await];
    for number in 1..=50 {
        assert_eq!(fixture.publish_all(&one, [number], KEEP).await, number);
        assert_eq!(fixture.publish_all(&two, [number], KEEP).await, number, "each channel counts for itself");
    }
    for inbox in &mut inboxes {
        for expected in 1..=50 {
            let (name, publication) = inbox.publication().await;
            assert_eq!((name.as_str(), offset(&publication), json(&publication)), ("c:one", expected, &*expected.to_string()));
        }
    }
}

// NL-0.3
pub async fn what_is_handed_over_keeps_its_order(fixture: &BrokerFixture) {
    let channel = channel("c:handed-over");
    let mut inbox = fixture.join(&channel, 0).await;
    let mut answers = Vec::new();
    for number in 1..=200 {
        answers.push(fixture.broker.hand_over(&channel, kept(number, KEEP)).await.expect("there is room"));
    }
    // Each publish gets its own answer, in whatever order the answers are awaited.
    for (before, answer) in answers.into_iter().enumerate().rev() {
        let published = answer.await.expect("published");
        assert_eq!(published.position.map(|position| position.offset), Some(before as u64 + 1));
    }
    for number in 1..=200 {
        let (_, arrived) = inbox.publication().await;
        assert_eq!((offset(&arrived), &arrived.content), (number, &data(number).into()));
    }
}

// NL-0.4
pub async fn without_retention_there_is_delivery_and_nothing_else(fixture: &BrokerFixture) {
    let channel = channel("c:ephemeral");
    let mut inbox = fixture.join(&channel, 0).await;
    fixture.publish_all(&channel, [1], KEEP).await;
    assert_eq!(fixture.publish(&channel, ephemeral("typing")).await, Published { position: None, replayed: false });
    assert_eq!(fixture.publish_all(&channel, [2], KEEP).await, 2, "it takes no offset");
    let mut arrived = Vec::new();
    for _ in 0..3 {
        let (_, publication) = inbox.publication().await;
        arrived.push((publication.position.is_some(), json(&publication).to_owned()));
    }
    assert_eq!(arrived, [(true, "1".into()), (false, "\"typing\"".into()), (true, "2".into())]);
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, [1, 2]);
}

// NL-2.10
pub async fn a_repeated_publish_is_answered_and_not_delivered(fixture: &BrokerFixture) {
    for (name, keep) in [("c:again", Some(KEEP)), ("c:again-ephemeral", None)] {
        let channel = channel(name);
        let mut inbox = fixture.join(&channel, 0).await;
        let publication = NewPublication { retention: keep, identity: Some(key("api", "k", 1)), ..ephemeral("once") };
        let first = fixture.publish(&channel, publication.clone()).await;
        assert!(!first.replayed);
        fixture.publish(&channel, NewPublication { retention: keep, ..ephemeral("between") }).await;
        let again = fixture.publish(&channel, publication).await;
        assert_eq!(again, Published { position: first.position, replayed: true });
        fixture.publish(&channel, NewPublication { retention: keep, ..ephemeral("end") }).await;
        for expected in ["\"once\"", "\"between\"", "\"end\""] {
            assert_eq!(json(&inbox.publication().await.1), expected);
        }
    }
    assert_eq!(fixture.offsets(&channel("c:again"), ReadRange::After(0)).await, [1, 2, 3]);
}

// NL-2.9
pub async fn an_idempotency_key_belongs_to_scope_channel_and_body(fixture: &BrokerFixture) {
    let (one, two) = (channel("c:key-one"), channel("c:key-two"));
    let with = |key| NewPublication { identity: Some(key), ..kept("x", KEEP) };
    fixture.publish(&one, with(key("api", "k", 1))).await;
    assert_eq!(fixture.broker.publish(&one, with(key("api", "k", 2))).await, Err(BrokerError::IdempotencyMismatch));
    assert!(!fixture.publish(&one, with(key("other", "k", 2))).await.replayed);
    assert!(!fixture.publish(&two, with(key("api", "k", 2))).await.replayed);
    assert!(!fixture.publish(&one, with(key("api", "K", 1))).await.replayed);
    assert_eq!(fixture.offsets(&one, ReadRange::After(0)).await, [1, 2, 3], "what was refused changed nothing");
    fixture.broker.clear(&one).await.expect("cleared");
    assert!(fixture.publish(&one, with(key("api", "k", 1))).await.replayed, "a key outlives its publication");
}

pub async fn an_idempotency_key_is_forgotten_in_time(fixture: &BrokerFixture) {
    let channel = channel("c:key-ends");
    let publication = NewPublication { identity: Some(key("api", "k", 1)), ..kept("x", retention(10, 3 * fixture.idempotency_ttl)) };
    fixture.publish(&channel, publication.clone()).await;
    (fixture.pass)(fixture.idempotency_ttl.mul_f32(0.8)).await;
    assert!(fixture.publish(&channel, publication.clone()).await.replayed);
    (fixture.pass)(fixture.idempotency_ttl.mul_f32(0.4)).await;
    assert!(!fixture.publish(&channel, publication).await.replayed, "a repeat does not prolong it");
    assert_eq!(fixture.offsets(&channel, ReadRange::After(0)).await, [1, 2]);
}
