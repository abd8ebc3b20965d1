//! Services with a queue in a cluster of gateway processes, some of which are killed, with a real Redis.

use super::{
    client::{Client, masked},
    listeners::Gateway,
    public::ask,
    services::{alice, answer},
    store_errors::{says, start_redis, until, upgraded},
};
use redis_testing::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const KEY: &str = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";

fn start(redis: &Server, name: &str, more: &[&str]) -> Gateway {
    let settings = [
        "broker.kind=redis",
        &format!("redis.url=redis://{}", redis.address()),
        &format!("node.name={name}"),
        "cluster.lease=1s",
        "queues.lease=1s",
        "services.bot.events=queue",
        "services.bot.order=/room",
        "services.bot.retry_min=50ms",
        "services.bot.methods.put.reply=false",
        "services.bot.methods.put.idempotency=/id",
    ];
    let node = Gateway::start(&[&settings, more].concat());
    until("the node is ready", || is_ready(&node));
    node
}

fn is_ready(node: &Gateway) -> bool {
    ask(node.internal, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 ")
}

fn queue(node: &Gateway) -> Value {
    serde_json::from_str(&ask(node.internal, "GET", "/v1/services/bot/queue", KEY, "").1).expect("JSON")
}

/// An instance of the service `bot` with a link to one node.
struct Link(Client);

impl Link {
    fn open(node: &Gateway, instance: &str, credit: u32) -> Self {
        let mut client = upgraded(node.internal, "/v1/services/bot/link");
        let welcome = says(&mut client, &json!({"hello": {"service": "bot", "instance": instance, "credit": credit}}));
        assert!(welcome.starts_with("{\"welcome\":"), "{welcome}");
        Self(client)
    }

    /// The next event that is about what this test does; the others are done.
    fn event(&mut self, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.0.frame().expect("open");
            if frame.opcode != 1 {
                continue;
            }
            let mut frame: Value = serde_json::from_slice(&frame.payload).expect("JSON");
            let event = frame["event"].take();
            if is_meant(&event) {
                return event;
            }
            if event.is_object() {
                self.done(&event);
            }
        }
    }

    fn call(&mut self) -> Value {
        self.event(|event| event["kind"] == "call")
    }

    fn done(&mut self, event: &Value) {
        for frame in [json!({"done": {"id": event["id"]}}), json!({"credit": {"n": 1}})] {
            self.0.send(&masked(0x81, frame.to_string().as_bytes()));
        }
    }
}

fn put(client: &mut Client, room: &str, id: u32) -> Value {
    answer(client, &json!({"id": 100 + id, "rpc": {"method": "bot.put", "data": {"room": room, "id": id}}}))["rpc"]["data"]["accepted"]
        .clone()
}

// NL-8.5, NL-8.6
#[tokio::test]
async fn a_killed_node_and_a_restart_of_all_lose_no_event_and_count_no_try() {
    let redis = start_redis().await;
    let (dying, living) = (start(&redis, "dying", &[]), start(&redis, "living", &[]));
    let (mut to_dying, mut client) = (Link::open(&dying, "i1", 32), alice(&dying));
    let ids: Vec<_> = (0..4).map(|id| put(&mut client, "a", id)).collect();
    assert!(ids.iter().all(Value::is_string), "{ids:?}");
    let first = to_dying.call();
    assert_eq!((&first["id"], &first["attempt"], &first["key"]), (&ids[0], &json!(1), &json!("a")));
    drop(dying);
    let mut to_living = Link::open(&living, "i1", 32);
    let again = to_living.call();
    assert_eq!((&again["id"], &again["attempt"]), (&ids[0], &json!(1)), "another owner is no try");
    to_living.done(&again);
    let second = to_living.call();
    assert_eq!(second["id"], ids[1]);
    // An acknowledgement that is not stored when the node dies is lost, and the event comes again.
    until("the first is acknowledged", || queue(&living)["depth"] == 3);
    drop((to_living, living));
    let next = start(&redis, "next", &[]);
    let mut client = alice(&next);
    assert_eq!(put(&mut client, "a", 3), ids[3], "a repeat gets the first id");
    let mut to_next = Link::open(&next, "i1", 32);
    for id in &ids[1..] {
        let event = to_next.call();
        assert_eq!(event["id"], *id, "in order");
        to_next.done(&event);
    }
    until("the queue is empty", || queue(&next)["depth"] == 0);
    assert_eq!(queue(&next)["dead_letters"], 0);
}

// NL-7.4
#[tokio::test]
async fn the_ends_of_a_killed_node_reach_the_queue_of_a_service_that_is_away() {
    let redis = start_redis().await;
    let lifecycle = ["services.bot.lifecycle_events=connected,disconnected"];
    let (dying, living) = (start(&redis, "dying", &lifecycle), start(&redis, "living", &lifecycle));
    let clients: Vec<_> = (0..3).map(|_| alice(&dying)).collect();
    until("the begins are stored", || queue(&living)["depth"] == 3);
    drop(dying);
    drop(clients);
    until("the ends are stored", || queue(&living)["depth"].as_u64() >= Some(6));
    let mut link = Link::open(&living, "i1", 64);
    let (mut connected, mut disconnected) = (BTreeSet::new(), BTreeSet::new());
    while disconnected.len() < 3 {
        let event = link.event(Value::is_object);
        let connection = event["connection"].as_str().expect("an id").to_owned();
        if event["kind"] == "connected" {
            assert!(connected.insert(connection));
        } else {
            assert!(connected.contains(&connection), "the end comes after the begin");
            assert_eq!(event["data"]["code"], 1006);
            disconnected.insert(connection);
        }
        link.done(&event);
    }
    until("the queue is empty", || queue(&living)["depth"] == 0);
}

#[tokio::test]
async fn the_node_with_the_only_instance_delivers_what_another_one_stored() {
    let redis = start_redis().await;
    let (without, with) = (start(&redis, "without", &[]), start(&redis, "with", &[]));
    let mut link = Link::open(&with, "i1", 64);
    let mut client = alice(&without);
    for id in 0..8 {
        let accepted = put(&mut client, &format!("room-{id}"), id);
        let event = link.call();
        assert_eq!((&event["id"], &event["attempt"]), (&accepted, &json!(1)));
        link.done(&event);
    }
    until("the queue is empty", || queue(&with)["depth"] == 0);
}

#[tokio::test]
async fn fewer_partitions_need_empty_ones_above_and_the_node_names_the_first_that_is_not() {
    let redis = start_redis().await;
    let node = start(&redis, "n1", &["services.bot.partitions=8"]);
    let mut client = alice(&node);
    for id in 0..16 {
        assert!(put(&mut client, &format!("room-{id}"), id).is_string());
    }
    until("all are stored", || queue(&node)["depth"] == 16);
    drop(node);
    let settings = [
        "broker.kind=redis",
        &format!("redis.url=redis://{}", redis.address()),
        "node.name=n1",
        "cluster.lease=1s",
        "services.bot.events=queue",
        "services.bot.partitions=1",
    ];
    let node = Gateway::start(&settings);
    let reasons = || ask(node.internal, "GET", "/readyz", "", "").1;
    until("the node names a partition", || reasons().contains("services.bot.partitions is 1, and partition "));
    assert!(reasons().contains("dead letters: set it to "), "{}", reasons());
    drop(node);
    let enough = start(&redis, "n1", &["services.bot.partitions=8"]);
    let (_, purged) = ask(enough.internal, "DELETE", "/v1/services/bot/queue/entries?count=100", KEY, "");
    assert!(purged.contains("16"), "{purged}");
    drop(enough);
    start(&redis, "n1", &["services.bot.partitions=1"]);
}
