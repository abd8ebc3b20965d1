//! Lifecycle events of webhooks.

use super::*;
use crate::services::{Change, End, Interests, Lifecycle, LifecycleLimits, Occupation, Origin};
use gateway_core::model::ConnectionId;

const SHORT: Duration = Duration::from_millis(20);

/// A gateway's services with one webhook, `shop`, that wants some kinds of lifecycle events.
fn shop_for_events(urls: &[&str], limits: LifecycleLimits) -> Arc<Services> {
    let kinds = ["connected", "disconnected", "vacated"].map(String::from);
    shop_with(&format!("{}call_timeout = \"1s\"", super::urls(urls)), |config| ServiceConfig {
        lifecycle_events: Interests::parse(&kinds).expect("known"),
        lifecycle: limits,
        ..config
    })
}

fn limits() -> LifecycleLimits {
    LifecycleLimits { batch_delay: SHORT, ..LifecycleLimits::default() }
}

fn connected(connection: ConnectionId) -> Lifecycle {
    Lifecycle::new(Change::Connected(origin(connection)))
}

fn origin(connection: ConnectionId) -> Origin {
    Origin { holder: "n1/5fb3.1".into(), connection, user: "alice".parse().expect("valid"), meta: None }
}

fn url(target: &Target) -> String {
    format!("http://{}/{{method}}", target.address())
}

/// The ids of the events of a request.
fn ids(request: &target::Received) -> Vec<String> {
    let body = request.json();
    body["events"].as_array().expect("a list").iter().map(|event| event["id"].as_str().expect("a text").to_owned()).collect()
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn events_arrive_in_order_as_one_signed_list() {
    let target = Target::new().await;
    let services = shop_for_events(&[&url(&target)], limits());
    let connection = ConnectionId::random();
    services.send_lifecycle(&connected(connection));
    services.send_lifecycle(&Lifecycle::new(Change::Disconnected(origin(connection), End::new(3005, "expired"))));
    services.send_lifecycle(&Lifecycle::new(Change::Occupied(Occupation { channel: "a".parse().expect("valid"), generation: 7 })));
    let vacated = Lifecycle::new(Change::Vacated(Occupation { channel: "a".parse().expect("valid"), generation: 7 }));
    services.send_lifecycle(&vacated);
    let mut peer = target.accept().await;
    let request = peer.request().await;
    assert_eq!(request.line, "POST /lifecycle");
    assert!(request.headers["webhook-id"].starts_with("msg_"));
    let expected = ["connected", "disconnected"].map(|kind| format!("n1/5fb3.1/{connection}/{kind}"));
    assert_eq!(ids(&request), [&expected[..], &["a/7/vacated".to_owned()]].concat(), "nobody asked for occupied");
    let first = &request.json()["events"][1];
    let data = json!({"code": 3005, "reason": "expired"});
    let time = first["time"].as_u64().expect("a number");
    let expected = json!({
        "id": expected[1], "kind": "disconnected", "generation": "5fb3.1", "time": time, "data": data, "user": "alice",
        "connection": connection.to_string()
    });
    assert_eq!(*first, expected);
    peer.answer("200 OK", "text/plain", "thanks").await;
    eventually("the events to be counted", || services.counters().get(Count::LifecycleSent) == 3).await;
    services.send_lifecycle(&connected(connection));
    assert_eq!(ids(&peer.request().await).len(), 1, "events that were taken are not sent again");
}

#[tokio::test]
async fn a_batch_that_fails_is_sent_again_with_its_id_before_later_events() {
    let target = Target::new().await;
    let services = shop_for_events(&[&url(&target)], LifecycleLimits { batch_events: 2, ..limits() });
    let connections: Vec<_> = (0..3).map(|_| ConnectionId::random()).collect();
    for connection in &connections {
        services.send_lifecycle(&connected(*connection));
    }
    let mut first = None;
    for head in [
        "500 Internal Server Error\r\ncontent-length: 0",
        "503 Service Unavailable\r\ncontent-length: 0",
        "302 Found\r\ncontent-length: 0",
        "204 No Content",
    ] {
        let mut peer = target.accept().await;
        let request = peer.request().await;
        let sent = (request.headers["webhook-id"].clone(), request.body.clone());
        assert_eq!(*first.get_or_insert_with(|| sent.clone()), sent);
        assert_eq!(ids(&request).len(), 2, "one request has at most two events");
        peer.send(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n")).await;
    }
    let mut peer = target.accept().await;
    assert_eq!(ids(&peer.request().await), [format!("n1/5fb3.1/{}/connected", connections[2])]);
}

#[tokio::test]
async fn events_that_the_service_refuses_for_good_are_counted_and_do_not_hold_up_others() {
    let target = Target::new().await;
    let services = shop_for_events(&[&url(&target)], limits());
    services.send_lifecycle(&connected(ConnectionId::random()));
    let mut peer = target.accept().await;
    peer.request().await;
    peer.answer("422 Unprocessable Content", "application/problem+json", r#"{"code": 601, "detail": "no"}"#).await;
    eventually("the refusal", || services.counters().get(Count::LifecycleRefused) == 1).await;
    services.send_lifecycle(&connected(ConnectionId::random()));
    assert_eq!(ids(&peer.request().await).len(), 1);
}

#[tokio::test]
async fn events_without_room_and_events_that_waited_too_long_are_counted() {
    let nobody = format!("http://{}/", nobody().await);
    let bounds = LifecycleLimits { queue_events: 3, event_ttl: Duration::from_millis(100), ..limits() };
    let services = shop_for_events(&[&nobody], bounds);
    (0..5).for_each(|_| services.send_lifecycle(&connected(ConnectionId::random())));
    assert_eq!(services.counters().get(Count::LifecycleQueueFull), 2);
    eventually("the events to expire", || services.counters().get(Count::LifecycleExpired) == 3).await;
    services.send_lifecycle(&connected(ConnectionId::random()));
    assert_eq!(services.counters().get(Count::LifecycleQueueFull), 2, "there is room again");
}

#[tokio::test]
async fn a_node_that_stops_sends_what_waits_at_once() {
    let target = Target::new().await;
    let services = shop_for_events(&[&url(&target)], LifecycleLimits { batch_delay: Duration::from_mins(1), ..limits() });
    services.send_lifecycle(&connected(ConnectionId::random()));
    let closes = tokio::spawn({
        let services = services.clone();
        async move { services.close().await }
    });
    let mut peer = target.accept().await;
    peer.request().await;
    peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    soon("the end", closes).await.expect("no panic");
    let counts = [Count::LifecycleSent, Count::LifecycleStopped].map(|count| services.counters().get(count));
    assert_eq!(counts, [1, 0]);
}

#[tokio::test]
async fn events_that_a_stopping_node_cannot_send_are_counted() {
    let nobody = format!("http://{}/", nobody().await);
    let services = shop_for_events(&[&nobody], limits());
    services.send_lifecycle(&connected(ConnectionId::random()));
    soon("the end", services.close()).await;
    assert_eq!(services.counters().get(Count::LifecycleStopped), 1);
}

#[tokio::test(start_paused = true)]
async fn pauses_between_attempts_stay_long_while_events_expire() {
    let nobody = format!("http://{}/", nobody().await);
    let services = shop_for_events(&[&nobody], LifecycleLimits { event_ttl: Duration::from_secs(1), ..limits() });
    let (mut expired, mut attempts) = (0, 0);
    for _ in 0..600 {
        services.send_lifecycle(&connected(ConnectionId::random()));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = std::mem::replace(&mut expired, services.counters().get(Count::LifecycleExpired));
        attempts += u32::from(expired != before);
    }
    // In one minute: the pauses grow to 5 to 10 seconds within the first twelve.
    assert!((5..=20).contains(&attempts), "{attempts}");
}
