//! Two gateway processes with one `node.name`.

use super::{
    public::ask,
    store_errors::{says, start_node, start_redis, until, upgraded},
};
use serde_json::{Value, json};
use std::net::SocketAddr;

const TWIN: &str = "[node]\nname = \"twin\"\n[cluster]\nlease = \"2s\"";

fn readiness(internal: SocketAddr) -> (bool, String) {
    let (head, body) = ask(internal, "GET", "/readyz", "", "");
    (head.starts_with("http/1.1 200 "), body)
}

#[tokio::test]
async fn two_nodes_with_the_same_name_are_not_ready_and_control_calls_reach_both() {
    let redis = start_redis().await;
    let (_, first) = start_node(&redis, TWIN);
    until("the first node is ready", || readiness(first).0);
    let (public, second) = start_node(&redis, TWIN);
    for node in [first, second] {
        until("the node sees the other one", || readiness(node).1.contains("another gateway process has the node.name twin"));
        assert!(!readiness(node).0);
    }

    let (_, token) = ask(public, "POST", "/demo/token", "Content-Type: application/json\r\n", r#"{"user":"alice"}"#);
    let token = serde_json::from_str::<Value>(&token).expect("JSON")["token"].clone();
    let mut alice = upgraded(public, "/connection/websocket");
    let connected: Value = serde_json::from_str(&says(&mut alice, &json!({"id": 1, "connect": {"token": token}}))).expect("JSON");
    let id = connected["connect"]["client"].as_str().expect("an id");

    let key = "Authorization: Bearer dev\r\n";
    let (head, body) = ask(first, "GET", &format!("/v1/connections/{id}"), key, "");
    assert!(head.starts_with("http/1.1 200 ") && body.contains("alice"), "{head}{body}");
    let (_, closed) = ask(first, "DELETE", "/v1/users/alice/connections", key, "");
    assert_eq!(closed, r#"{"connections":1}"#, "the connection is at the other node");
}
