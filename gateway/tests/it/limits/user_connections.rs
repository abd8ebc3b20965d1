//! Open connections of a user on all nodes.

use super::support::{Gateway, assert_served, next, send, until_closed};
use crate::{
    client::Client,
    public::ask,
    store_errors::{start_node, start_redis, until},
};
use redis_testing::Server;
use serde_json::{Value, json};

fn settings(on_excess: &str) -> String {
    format!("[limits.user]\nconnections = 2\non_excess = \"{on_excess}\"")
}

fn token(gateway: &Gateway, user: &str) -> String {
    let body = json!({ "user": user }).to_string();
    let (_, body) = ask(gateway.public, "POST", "/demo/token", "Content-Type: application/json\r\n", &body);
    serde_json::from_str::<Value>(&body).expect("JSON")["token"].as_str().expect("a token").to_owned()
}

/// Begins a connection of a user.
fn begin(gateway: &Gateway, user: &str) -> Client {
    let token = token(gateway, user);
    let mut client = gateway.upgraded("/connection/websocket");
    send(&mut client, &json!({"id": 1, "connect": {"token": token}}).to_string());
    client
}

fn connected(gateway: &Gateway, user: &str) -> Client {
    let mut client = begin(gateway, user);
    assert!(next(&mut client)["connect"].is_object());
    client
}

#[test]
fn a_further_connection_is_refused_with_3504() {
    let gateway = Gateway::with(&settings("refuse"));
    let (mut first, second) = (connected(&gateway, "mallory"), connected(&gateway, "mallory"));
    assert_eq!(until_closed(&mut begin(&gateway, "mallory")).1, 3504);
    assert_eq!(gateway.limited("user_connections"), 1);
    let mut twin = connected(&gateway, "alice");
    assert_served(&mut twin);
    assert_served(&mut first);
    drop(second);
    until("the place is free", || {
        let frame = begin(&gateway, "mallory").frame().expect("an answer");
        frame.opcode == 1
    });
}

#[test]
fn a_connection_that_was_opened_early_and_connects_late_has_no_older_place() {
    let gateway = Gateway::with(&settings("refuse"));
    let mut opened: Vec<_> = (0..4).map(|_| gateway.upgraded("/connection/websocket")).collect();
    let connect = json!({"id": 1, "connect": {"token": token(&gateway, "mallory")}}).to_string();
    for (place, client) in opened.iter_mut().rev().enumerate() {
        send(client, &connect);
        if place < 2 {
            assert!(next(client)["connect"].is_object());
        } else {
            assert_eq!(until_closed(client).1, 3504, "number {place}");
        }
    }
    for client in &mut opened[2..] {
        assert_served(client);
    }
}

#[test]
fn the_oldest_connection_ends_with_3504() {
    let gateway = Gateway::with(&settings("end-oldest"));
    let mut all: Vec<_> = (0..2).map(|_| connected(&gateway, "mallory")).collect();
    let mut twin = connected(&gateway, "alice");
    for _ in 0..3 {
        all.push(connected(&gateway, "mallory"));
        assert_eq!(until_closed(&mut all.remove(0)).1, 3504);
    }
    for client in all.iter_mut().chain([&mut twin]) {
        assert_served(client);
    }
    assert_eq!(gateway.limited("user_connections"), 3);
}

#[test]
fn stomp_connections_count_as_well() {
    let gateway = Gateway::with(&settings("refuse"));
    let (_first, _second) = (connected(&gateway, "mallory"), connected(&gateway, "mallory"));
    let token = token(&gateway, "mallory");
    let mut client = gateway.upgraded("/stomp");
    send(&mut client, &format!("CONNECT\naccept-version:1.2\nAuthorization:Bearer {token}\n\n\0"));
    let (messages, code) = until_closed(&mut client);
    assert_eq!(code, 3504);
    assert!(messages[0].starts_with(b"ERROR\n"), "{messages:?}");
}

/// Two nodes with this setting, of which the second one knows the first.
fn two_nodes(redis: &Server, settings: &str) -> Vec<Gateway> {
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let (public, internal) = start_node(redis, settings);
        until("the node is ready", || ask(internal, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 "));
        nodes.push(Gateway { public, internal });
    }
    nodes
}

#[tokio::test]
async fn a_node_with_few_of_the_connections_counts_all_of_them() {
    let redis = start_redis().await;
    let settings = format!("workers = 1\n{}", settings("refuse").replace("connections = 2", "connections = 4"));
    let nodes = two_nodes(&redis, &settings);
    // Each node has a share of two.
    let mut all: Vec<_> = (0..4).map(|_| connected(&nodes[1], "mallory")).collect();
    for _ in 0..2 {
        assert_eq!(until_closed(&mut begin(&nodes[0], "mallory")).1, 3504);
    }
    let mut twin = connected(&nodes[0], "alice");
    for client in all.iter_mut().chain([&mut twin]) {
        send(client, r#"{"id":3,"ping":{}}"#);
        assert_eq!(next(client), json!({"id": 3, "ping": {}}));
    }
    drop(all);
    until("the places are free", || begin(&nodes[0], "mallory").frame().is_some_and(|frame| frame.opcode == 1));
}

#[tokio::test]
async fn connections_on_other_nodes_count() {
    let redis = start_redis().await;
    let nodes = two_nodes(&redis, &settings("end-oldest").replace("connections = 2", "connections = 1"));
    let mut before = connected(&nodes[0], "mallory");
    let mut twin = connected(&nodes[1], "alice");
    for round in 1..5 {
        let new = connected(&nodes[round % 2], "mallory");
        assert_eq!(until_closed(&mut before).1, 3504, "round {round}");
        before = new;
    }
    for client in [&mut before, &mut twin] {
        send(client, r#"{"id":3,"ping":{}}"#);
        assert_eq!(next(client), json!({"id": 3, "ping": {}}));
    }
}
