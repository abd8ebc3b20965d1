//! Deliveries as requests, over real sockets. The clock is not paused.

use super::fixture::{Gateway, config, gateway, until};
use crate::{
    queues::OwnerCount,
    services::{
        Caller, QueueConfig, Reach, ServiceConfig, WebhookConfig,
        webhook::webhook::tests::target::{Target, soon},
    },
    settings::Settings,
};
use gateway_core::queue::DeadReason;
use serde_json::json;
use std::{sync::Arc, time::Duration};

fn webhook(target: &str, more: &str) -> ServiceConfig {
    let toml = format!("[services.bot]\nreach = \"webhook\"\nurls = [\"http://{target}/{{method}}\"]\n{more}");
    let settings = Settings::from_toml(&toml).expect("valid");
    let webhook = WebhookConfig::new("bot", &settings, &settings.services["bot"]).expect("valid");
    let queue = QueueConfig { partitions: 1, tries: 3, retry_min: Duration::from_millis(20), ..QueueConfig::default() };
    ServiceConfig { reach: Reach::Webhook(Arc::new(webhook)), queue: Some(queue), ..config() }
}

async fn settled(gateway: &Gateway, what: &str, is_so: impl AsyncFn(&Gateway) -> bool) {
    soon(what, until(what, async || is_so(gateway).await)).await;
}

#[tokio::test]
async fn an_event_is_one_request_with_its_id_and_a_success_acknowledges_it() {
    let target = Target::new().await;
    let gateway = gateway(webhook(&target.address(), ""));
    let alice = Caller::of("alice");
    let id = gateway.call(&alice, "buy", json!({"n": 1})).await.expect("stored");
    let mut peer = target.accept().await;
    let request = peer.request().await;
    assert_eq!((&*request.line, &request.headers["webhook-id"]), ("POST /buy", &id));
    let key = alice.connection.to_string();
    let expected = json!({"event": {"id": id, "kind": "call", "method": "buy", "attempt": 1, "partition": 0, "key": key, "data": {"n": 1},
        "user": "alice", "connection": key}});
    assert_eq!(request.json(), expected);
    peer.answer("201 Created", "text/html", "<p>any body</p>").await;
    settled(&gateway, "the event is deleted", async |gateway| gateway.status().await.depth == 0).await;
    assert_eq!(gateway.counted(OwnerCount::Acknowledged), 1);
}

#[tokio::test]
async fn a_busy_target_gets_the_event_after_its_pause_and_a_permanent_problem_is_a_dead_letter() {
    let target = Target::new().await;
    let gateway = gateway(webhook(&target.address(), ""));
    gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
    let mut peer = target.accept().await;
    let first = peer.request().await;
    let begun = std::time::Instant::now();
    peer.send("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n").await;
    let second = soon("the next try", peer.request()).await;
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    assert_eq!((second.json()["event"]["attempt"].as_u64(), &second.headers["webhook-id"]), (Some(2), &first.headers["webhook-id"]));
    peer.answer("422 Unprocessable Content", "application/problem+json", r#"{"code":601,"detail":"sold out"}"#).await;
    settled(&gateway, "it is a dead letter", async |gateway| !gateway.dead().await.is_empty()).await;
    gateway.dead_lettered(DeadReason::Refused, 2).await;
    assert_eq!(&*gateway.dead().await[0].detail, "601: sold out");
}

// NL-8.7
#[tokio::test]
async fn a_target_that_cannot_be_reached_is_no_try_and_one_that_answers_wrongly_is() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let gateway = gateway(webhook(&address.to_string(), "breaker_pause = \"50ms\""));
    gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
    settled(&gateway, "it was tried in vain", async |gateway| gateway.counted(OwnerCount::NotSent) >= 3).await;
    assert!(gateway.dead().await.is_empty());
    let target = Target::at(address).await;
    for attempt in 1..=3 {
        let mut peer = target.accept().await;
        assert_eq!(peer.request().await.json()["event"]["attempt"], attempt);
        peer.send("HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    }
    settled(&gateway, "it is a dead letter", async |gateway| !gateway.dead().await.is_empty()).await;
    gateway.dead_lettered(DeadReason::Tries, 3).await;
}

#[tokio::test]
async fn a_silent_target_has_the_time_of_a_call() {
    let target = Target::new().await;
    let gateway = gateway(webhook(&target.address(), "call_timeout = \"100ms\""));
    gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
    let mut silent = target.accept().await;
    silent.request().await;
    let mut peer = target.accept().await;
    assert_eq!(peer.request().await.json()["event"]["attempt"], 2);
    peer.answer("204 No Content", "text/plain", "").await;
    settled(&gateway, "the event is deleted", async |gateway| gateway.status().await.depth == 0).await;
}
