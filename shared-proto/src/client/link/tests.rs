//! A [`Link`] against fake nodes in this process.

mod fake_node;

use super::*;
use crate::client::Failure;
use crate::link::{Call, Event, ToGateway};
use crate::producer::Producer;
use fake_node::{FakeNode, TIMEOUT};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::timeout;

fn config(nodes: &[&FakeNode]) -> Config {
    let mut config = Config::new("chatbot", nodes.iter().map(|node| node.url()).collect(), "key");
    config.instance = "one".into();
    config.reconnect_first = Duration::from_millis(5);
    config.reconnect_longest = Duration::from_millis(50);
    config
}

/// A service that has a method for each outcome of a call.
async fn service(call: Call) -> CallResult {
    match call.method.as_str() {
        "echo" => Ok(call.data),
        "never" => std::future::pending().await,
        "panic" => panic!("a panic that the test requested"),
        "huge" => to_raw_value(&"x".repeat(100_000)).map_err(|_| CallFailure::refused(500, "")),
        _ => Err(CallFailure::refused(404, "no such method")),
    }
}

async fn connect(config: Config) -> Link {
    let link = Link::start(config, service).expect("the settings are right");
    timeout(TIMEOUT, link.ready()).await.expect("linked in time");
    link
}

fn expect_publish(frame: ToGateway) -> crate::link::Publish {
    match frame {
        ToGateway::Publish(publish) => publish,
        other => panic!("a publish was expected, not {other:?}"),
    }
}

fn publication(n: u32) -> Publication {
    Publication::new("chat:lobby", &n).expect("a number is JSON")
}

fn json(publish: &crate::link::Publish) -> &str {
    publish.data.as_ref().expect("JSON").get()
}

#[tokio::test]
async fn calls_are_answered_and_return_their_credit() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    assert_eq!((fake.hello.service.as_str(), fake.hello.instance.as_str(), fake.hello.credit), ("chatbot", "one", 64));
    assert_eq!(fake.authorization, "Bearer key");
    fake.call(1, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Reply(reply) if reply.id == 1 && reply.data.get() == "{\"n\":1}"));
    assert!(matches!(fake.frame().await, ToGateway::Credit(credit) if credit.n == 1));
    for (id, method, code) in [(2, "nothing", 404), (3, "panic", 500), (4, "huge", 500)] {
        fake.call(id, method).await;
        assert!(matches!(fake.frame().await, ToGateway::Error(error) if error.id == id && error.code == code), "{method}");
        assert!(matches!(fake.frame().await, ToGateway::Credit(_)));
    }
    assert_eq!(link.counts.answered.load(Relaxed), 4);
}

#[tokio::test]
async fn a_handler_sees_what_is_kept_with_the_connection_and_replaces_it() {
    let mut node = FakeNode::start("a").await;
    let upgrade = async |call: Call| -> CallResult<Answer> {
        let free = call.meta.is_some_and(|meta| meta.get() == "\"free\"");
        let meta = to_raw_value(if free { "pro" } else { "free" }).map_err(|_| CallFailure::refused(500, ""))?;
        Ok(Answer::with_meta(call.data, meta))
    };
    let link = Link::start(config(&[&node]), upgrade).expect("the settings are right");
    let mut fake = node.accept().await;
    for (meta, expected) in [("", "\"free\""), ("\"meta\":\"free\",", "\"pro\"")] {
        fake.send(&format!(r#"{{"call":{{"id":1,{meta}"method":"upgrade","data":1,"user":"","connection":"c","deadline_ms":9000}}}}"#))
            .await;
        let ToGateway::Reply(reply) = fake.frame().await else { panic!("a reply was expected") };
        assert_eq!((reply.data.get(), reply.meta.as_deref().map(RawValue::get)), ("1", Some(expected)));
        assert!(matches!(fake.frame().await, ToGateway::Credit(_)));
    }
    drop(link);
}

#[tokio::test]
async fn a_call_without_credit_is_refused_and_a_cancelled_call_returns_its_credit() {
    let mut node = FakeNode::start("a").await;
    let link = connect(Config { credit: 1, ..config(&[&node]) }).await;
    let mut fake = node.accept().await;
    fake.call(1, "never").await;
    fake.call(2, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Error(error) if error.id == 2 && error.temporary));
    fake.send(r#"{"cancel":{"id":1}}"#).await;
    assert!(matches!(fake.frame().await, ToGateway::Credit(credit) if credit.n == 1));
    fake.call(3, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Reply(reply) if reply.id == 3));
    assert_eq!((link.counts.abandoned.load(Relaxed), link.counts.refused_no_credit.load(Relaxed)), (1, 1));
}

#[tokio::test]
async fn a_call_is_dropped_at_its_deadline() {
    let mut node = FakeNode::start("a").await;
    let _link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    fake.send(r#"{"call":{"id":1,"method":"never","data":1,"user":"","connection":"c","deadline_ms":10}}"#).await;
    assert!(matches!(fake.frame().await, ToGateway::Credit(_)));
}

#[tokio::test]
async fn unanswered_publications_are_resent_in_order_with_the_same_key() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    let publisher = link.publisher();
    let first = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish(publication(1), TIMEOUT).await }
    });
    let sent = expect_publish(fake.frame().await);
    drop(fake);
    let mut fake = node.accept().await;
    let second = tokio::spawn(async move { publisher.publish(publication(2), TIMEOUT).await });
    let resent = expect_publish(fake.frame().await);
    assert_eq!((json(&resent), &resent.idempotency_key), ("1", &sent.idempotency_key));
    assert!(resent.idempotency_key.is_some());
    fake.ack(resent.id, 7).await;
    let next = expect_publish(fake.frame().await);
    assert_eq!(json(&next), "2");
    fake.ack(next.id, 8).await;
    assert_eq!(first.await.expect("no panic").expect("published").offset, 7);
    assert_eq!(second.await.expect("no panic").expect("published").offset, 8);
    assert_eq!(link.counts.resent.load(Relaxed), 1);
}

#[tokio::test]
async fn a_nack_is_retried_or_reported() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    let publisher = link.publisher();
    let publish = tokio::spawn(async move { publisher.publish(publication(1), TIMEOUT).await });
    let first = expect_publish(fake.frame().await);
    fake.nack(first.id, "overloaded").await;
    let second = expect_publish(fake.frame().await);
    assert_eq!((first.id, first.idempotency_key), (second.id, second.idempotency_key));
    fake.nack(second.id, "permission_denied").await;
    assert!(matches!(publish.await.expect("no panic"), Err(Failure::Refused { .. })));
}

#[tokio::test]
async fn the_number_of_a_producer_replaces_the_key_and_a_gap_names_the_missing_one() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    let publisher = link.publisher();
    let number = Producer { id: "orders-1".into(), epoch: 3, seq: 7 };
    let numbered = publication(1).with_producer(number.clone());
    let publish = tokio::spawn(async move { publisher.publish(numbered, TIMEOUT).await });
    let sent = expect_publish(fake.frame().await);
    assert_eq!((sent.producer.as_ref(), sent.idempotency_key), (Some(&number), None));
    drop(fake);
    let mut fake = node.accept().await;
    let resent = expect_publish(fake.frame().await);
    assert_eq!(resent.producer, Some(number), "it keeps its number when its link is lost");
    let error = r#"{"code":"sequence_gap","message":"","retryable":false,"expected":5}"#;
    fake.send(&format!(r#"{{"nack":{{"id":{},"error":{error}}}}}"#, resent.id)).await;
    let outcome = publish.await.expect("no panic");
    assert!(matches!(outcome, Err(Failure::Refused { expected: Some(5), .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_passed_deadline_says_whether_the_publication_may_be_stored() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let publisher = link.publisher();
    let mut fake = node.accept().await;
    let short = Duration::from_millis(30);
    assert!(matches!(publisher.publish(publication(1), short).await, Err(Failure::Unknown { .. })));
    let late = expect_publish(fake.frame().await);
    fake.ack(late.id, 1).await;
    node.stop();
    drop(fake);
    let missing = publisher.publish(publication(2), short).await;
    assert!(matches!(missing, Err(Failure::NotDone { .. } | Failure::Unknown { .. })));
}

#[tokio::test]
async fn every_named_node_gets_exactly_one_link() {
    let mut second = FakeNode::start("b").await;
    let mut first = FakeNode::start_with_peers("a", vec![second.url()]).await;
    let link = connect(config(&[&first])).await;
    let (_one, _two) = (first.accept().await, second.accept().await);
    let mut activity = link.activity.clone();
    timeout(TIMEOUT, activity.wait_for(|now| now.nodes.len() == 2)).await.expect("both in time").expect("alive");
}

#[tokio::test]
async fn a_second_address_of_a_linked_node_does_not_replace_the_link() {
    let mut alias = FakeNode::start("a").await;
    let mut node = FakeNode::start_with_peers("a", vec![alias.url()]).await;
    let _link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    alias.closed_without_hello().await;
    fake.call(1, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Reply(_)));
}

#[tokio::test]
async fn a_malformed_frame_closes_the_link_and_an_unknown_kind_does_not() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    fake.send(r#"{"of_a_later_version":{"x":1}}"#).await;
    fake.call(1, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Reply(_)));
    let too_large = format!(r#"{{"x":"{}"}}"#, "x".repeat(2_000_000));
    let bad = ["", "{", "[]", r#"{"call":{"id":-1}}"#, r#"{"ack":{"id":1},"nack":{"id":1}}"#, r#"{"call":1}"#, &too_large];
    for (n, text) in bad.iter().enumerate() {
        fake.send(text).await;
        fake = node.accept().await;
        assert_eq!(link.counts.malformed.load(Relaxed), n as u64 + 1, "{text:.40}");
    }
    fake.send_binary().await;
    let mut fake = node.accept().await;
    fake.call(1, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Reply(_)), "the client connects again after each of them");
}

#[tokio::test]
async fn the_link_to_a_silent_node_is_closed() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    // The fake node does not read. After a heartbeat (1 s here) the client pings, after another one it opens a new link.
    let _silent = node.accept().await;
    node.accept().await;
    assert_eq!(link.counts.failed.load(Relaxed), 1);
}

#[tokio::test]
async fn shutdown_drains_finishes_and_closes() {
    let mut node = FakeNode::start("a").await;
    let link = connect(config(&[&node])).await;
    let mut fake = node.accept().await;
    fake.call(1, "never").await;
    fake.call(2, "echo").await;
    assert!(matches!(fake.frame().await, ToGateway::Reply(_)));
    assert!(matches!(fake.frame().await, ToGateway::Credit(_)));
    let publisher = link.publisher();
    let shutdown = tokio::spawn(link.shutdown(TIMEOUT));
    assert!(matches!(fake.frame().await, ToGateway::Drain(_)));
    let publish = tokio::spawn(async move { publisher.publish(publication(1), TIMEOUT).await });
    let frame = expect_publish(fake.frame().await);
    fake.send(r#"{"cancel":{"id":1}}"#).await;
    assert!(matches!(fake.frame().await, ToGateway::Credit(_)));
    fake.ack(frame.id, 3).await;
    assert_eq!(publish.await.expect("no panic").expect("published").offset, 3);
    fake.closed().await;
    assert!(shutdown.await.expect("no panic"), "all calls and publications were finished");
}

/// Handles events as their data says.
struct Obedient;

impl Service for Obedient {
    async fn call(&self, call: Call) -> CallResult<Answer> {
        Ok(call.data.into())
    }

    async fn handle_event(&self, event: Event) -> EventOutcome {
        match event.data.get() {
            "1" => EventOutcome::TryAgain(None),
            "2" => EventOutcome::TryAgain(Some(Duration::from_secs(2))),
            "3" => EventOutcome::Refused,
            "4" => panic!("a panic that the test requested"),
            _ => EventOutcome::Done,
        }
    }
}

#[tokio::test]
async fn an_event_from_a_queue_ends_with_a_frame_and_its_credit() {
    let mut node = FakeNode::start("a").await;
    let link = Link::start(config(&[&node]), Obedient).expect("the settings are right");
    let mut fake = node.accept().await;
    let queued = |id: &str, data: u32| {
        format!(r#"{{"event":{{"id":"{id}","attempt":1,"kind":"message","data":{data},"user":"","connection":""}}}}"#)
    };
    for (data, frame) in [
        (0, r#"{"done":{"id":"e"}}"#),
        (1, r#"{"failed":{"id":"e","temporary":true}}"#),
        (2, r#"{"failed":{"id":"e","temporary":true,"retry_after_ms":2000}}"#),
        (3, r#"{"failed":{"id":"e","temporary":false}}"#),
        (4, r#"{"failed":{"id":"e","temporary":true}}"#),
    ] {
        fake.send(&queued("e", data)).await;
        assert_eq!(serde_json::to_string(&fake.frame().await).expect("JSON"), frame);
        assert!(matches!(fake.frame().await, ToGateway::Credit(credit) if credit.n == 1));
    }
    fake.send(r#"{"event":{"id":"e","kind":"connected","data":1,"user":"","connection":""}}"#).await;
    assert!(matches!(fake.frame().await, ToGateway::Credit(_)), "the gateway does not wait for the end of other events");
    drop(link);
}

#[tokio::test]
async fn a_service_that_ignores_the_end_of_events_acknowledges_them_and_one_without_credit_comes_again() {
    let mut node = FakeNode::start("a").await;
    let _link = connect(Config { credit: 1, ..config(&[&node]) }).await;
    let mut fake = node.accept().await;
    let event = |id: u32| format!(r#"{{"event":{{"id":"{id}","attempt":2,"kind":"message","data":1,"user":"","connection":""}}}}"#);
    fake.send(&event(1)).await;
    assert!(matches!(fake.frame().await, ToGateway::Done(done) if done.id == "1"));
    assert!(matches!(fake.frame().await, ToGateway::Credit(_)));
    fake.call(7, "never").await;
    fake.send(&event(2)).await;
    assert!(matches!(fake.frame().await, ToGateway::Failed(failed) if failed.id == "2" && failed.temporary));
}
