//! Links against a small gateway in this process.

mod fake;

use super::*;
use crate::link::{Call, ToGateway};
use fake::FakeNode;
use serde_json::value::to_raw_value;
use std::sync::atomic::Ordering::Relaxed;

const SOON: Duration = Duration::from_secs(10);

fn config(nodes: &[&FakeNode]) -> Config {
    let mut config = Config::new("chatbot", nodes.iter().map(|node| node.url()).collect(), "key");
    config.instance = "one".into();
    config.reconnect_first = Duration::from_millis(5);
    config.reconnect_longest = Duration::from_millis(50);
    config
}

async fn echo(call: Call) -> CallResult {
    match call.method.as_str() {
        "echo" => Ok(call.data),
        "never" => std::future::pending().await,
        "panic" => panic!("on purpose"),
        "huge" => to_raw_value(&"x".repeat(100_000)).map_err(|_| CallFailure::refused(500, "")),
        _ => Err(CallFailure::refused(404, "no such method")),
    }
}

async fn linked(config: Config) -> Link {
    let link = Link::start(config, echo).expect("the settings are right");
    timeout(SOON, link.ready()).await.expect("linked in time");
    link
}

fn published(frame: ToGateway) -> crate::link::Publish {
    match frame {
        ToGateway::Publish(publish) => publish,
        other => panic!("a publish was expected, not {other:?}"),
    }
}

fn line(n: u32) -> Publication {
    Publication::new("chat:lobby", &n).expect("a number is JSON")
}

#[tokio::test]
async fn calls_are_answered_and_credit_comes_back() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    let mut peer = node.accept().await;
    assert_eq!((peer.hello.service.as_str(), peer.hello.instance.as_str(), peer.hello.credit), ("chatbot", "one", 64));
    assert_eq!(peer.authorization, "Bearer key");
    peer.call(1, "echo").await;
    assert!(matches!(peer.frame().await, ToGateway::Reply(reply) if reply.id == 1 && reply.data.get() == "{\"n\":1}"));
    assert!(matches!(peer.frame().await, ToGateway::Credit(credit) if credit.n == 1));
    for (id, method, code) in [(2, "nothing", 404), (3, "panic", 500), (4, "huge", 500)] {
        peer.call(id, method).await;
        assert!(matches!(peer.frame().await, ToGateway::Error(error) if error.id == id && error.code == code), "{method}");
        assert!(matches!(peer.frame().await, ToGateway::Credit(_)));
    }
    assert_eq!(link.counts.answered.load(Relaxed), 4);
}

#[tokio::test]
async fn a_call_beyond_the_credit_is_refused_and_a_cancelled_one_gives_its_credit_back() {
    let mut node = FakeNode::start("a").await;
    let link = linked(Config { credit: 1, ..config(&[&node]) }).await;
    let mut peer = node.accept().await;
    peer.call(1, "never").await;
    peer.call(2, "echo").await;
    assert!(matches!(peer.frame().await, ToGateway::Error(error) if error.id == 2 && error.temporary));
    peer.send(r#"{"cancel":{"id":1}}"#).await;
    assert!(matches!(peer.frame().await, ToGateway::Credit(credit) if credit.n == 1));
    peer.call(3, "echo").await;
    assert!(matches!(peer.frame().await, ToGateway::Reply(reply) if reply.id == 3));
    assert_eq!((link.counts.abandoned.load(Relaxed), link.counts.beyond_credit.load(Relaxed)), (1, 1));
}

#[tokio::test]
async fn a_call_past_its_deadline_is_dropped() {
    let mut node = FakeNode::start("a").await;
    let _link = linked(config(&[&node])).await;
    let mut peer = node.accept().await;
    peer.send(r#"{"call":{"id":1,"method":"never","data":1,"user":"","connection":"c","deadline_ms":10}}"#).await;
    assert!(matches!(peer.frame().await, ToGateway::Credit(_)));
}

#[tokio::test]
async fn what_a_lost_link_left_unanswered_comes_again_in_order_under_the_same_key() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    let mut peer = node.accept().await;
    let publisher = link.publisher();
    let first = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish(line(1), SOON).await }
    });
    let before = published(peer.frame().await);
    drop(peer);
    let mut peer = node.accept().await;
    let second = tokio::spawn(async move { publisher.publish(line(2), SOON).await });
    let again = published(peer.frame().await);
    assert_eq!((again.data.get(), &again.idempotency_key), ("1", &before.idempotency_key));
    assert!(again.idempotency_key.is_some());
    peer.ack(again.id, 7).await;
    let next = published(peer.frame().await);
    assert_eq!(next.data.get(), "2");
    peer.ack(next.id, 8).await;
    assert_eq!(first.await.expect("no panic").expect("published").offset, 7);
    assert_eq!(second.await.expect("no panic").expect("published").offset, 8);
    assert_eq!(link.counts.resent.load(Relaxed), 1);
}

#[tokio::test]
async fn nacks_are_retried_or_told() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    let mut peer = node.accept().await;
    let publisher = link.publisher();
    let publish = tokio::spawn(async move { publisher.publish(line(1), SOON).await });
    let first = published(peer.frame().await);
    peer.nack(first.id, "overloaded").await;
    let second = published(peer.frame().await);
    assert_eq!((first.id, first.idempotency_key), (second.id, second.idempotency_key));
    peer.nack(second.id, "permission_denied").await;
    assert!(matches!(publish.await.expect("no panic"), Err(crate::client::Failure::Refused { .. })));
}

#[tokio::test]
async fn deadlines_say_whether_it_may_have_been_done() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    let publisher = link.publisher();
    let mut peer = node.accept().await;
    let soon = Duration::from_millis(30);
    assert!(matches!(publisher.publish(line(1), soon).await, Err(crate::client::Failure::Unknown { .. })));
    let late = published(peer.frame().await);
    peer.ack(late.id, 1).await;
    node.stop();
    drop(peer);
    let missing = publisher.publish(line(2), soon).await;
    assert!(matches!(missing, Err(crate::client::Failure::NotDone { .. } | crate::client::Failure::Unknown { .. })));
}

#[tokio::test]
async fn every_node_that_is_named_gets_one_link() {
    let mut second = FakeNode::start("b").await;
    let mut first = FakeNode::start_with_peers("a", vec![second.url()]).await;
    // Another address of the first node: it gets no second link.
    let mut alias = FakeNode::start("a").await;
    let link = linked(config(&[&first])).await;
    let (_one, _two) = (first.accept().await, second.accept().await);
    let mut activity = link.activity.clone();
    timeout(SOON, activity.wait_for(|now| now.nodes.len() == 2)).await.expect("both in time").expect("alive");
    let both = linked(config(&[&first, &alias])).await;
    let (_one, _alias) = (first.accept().await, alias.accept().await);
    assert_eq!(both.activity.borrow().nodes.iter().filter(|node| *node == "a").count(), 1);
}

#[tokio::test]
async fn malformed_frames_cost_the_link_and_unknown_kinds_do_not() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    let mut peer = node.accept().await;
    peer.send(r#"{"of_a_later_version":{"x":1}}"#).await;
    peer.call(1, "echo").await;
    assert!(matches!(peer.frame().await, ToGateway::Reply(_)));
    let too_large = format!(r#"{{"x":"{}"}}"#, "x".repeat(2_000_000));
    let bad = ["", "{", "[]", r#"{"call":{"id":-1}}"#, r#"{"ack":{"id":1},"nack":{"id":1}}"#, r#"{"call":1}"#, &too_large];
    for (n, text) in bad.iter().enumerate() {
        peer.send(text).await;
        peer = node.accept().await;
        assert_eq!(link.counts.malformed.load(Relaxed), n as u64 + 1, "{text:.40}");
    }
    peer.send_binary().await;
    let mut peer = node.accept().await;
    peer.call(1, "echo").await;
    assert!(matches!(peer.frame().await, ToGateway::Reply(_)), "it is back after each of them");
}

#[tokio::test]
async fn a_silent_node_is_given_up() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    // Neither read nor answered: a heartbeat (1 s here), a ping, another heartbeat, then a new link.
    let _deaf = node.accept().await;
    node.accept().await;
    assert_eq!(link.counts.lost.load(Relaxed), 1);
}

#[tokio::test]
async fn shutdown_tells_finishes_and_closes() {
    let mut node = FakeNode::start("a").await;
    let link = linked(config(&[&node])).await;
    let mut peer = node.accept().await;
    peer.call(1, "never").await;
    peer.call(2, "echo").await;
    assert!(matches!(peer.frame().await, ToGateway::Reply(_)));
    assert!(matches!(peer.frame().await, ToGateway::Credit(_)));
    let publisher = link.publisher();
    let shutdown = tokio::spawn(link.shutdown(SOON));
    assert!(matches!(peer.frame().await, ToGateway::Drain(_)));
    let publish = tokio::spawn(async move { publisher.publish(line(1), SOON).await });
    let frame = published(peer.frame().await);
    peer.send(r#"{"cancel":{"id":1}}"#).await;
    assert!(matches!(peer.frame().await, ToGateway::Credit(_)));
    peer.ack(frame.id, 3).await;
    assert_eq!(publish.await.expect("no panic").expect("published").offset, 3);
    peer.closed().await;
    assert!(shutdown.await.expect("no panic"), "nothing was left undone");
}
