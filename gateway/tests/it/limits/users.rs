//! Limits of all connections of a user together.

use super::support::{Gateway, assert_served, next, send, until_closed};
use crate::{client::Client, public::ask};
use serde_json::{Value, json};

/// A connection may send more than a user may: ten commands at once, and four for a client that comes back.
const SMALL: &str = r"
[connection]
max_subscriptions = 1
[recovery]
page_entries = 100
[limits.user]
commands_per_second = 1
commands_burst = 12
";
const BURST: usize = 14;

fn connect(gateway: &Gateway, user: &str) -> Client {
    let body = json!({ "user": user }).to_string();
    let (_, body) = ask(gateway.public, "POST", "/demo/token", "Content-Type: application/json\r\n", &body);
    let token = serde_json::from_str::<Value>(&body).expect("JSON")["token"].clone();
    let mut client = gateway.upgraded("/connection/websocket");
    send(&mut client, &json!({"id": 1, "connect": {"token": token}}).to_string());
    assert!(next(&mut client)["connect"].is_object());
    client
}

#[test]
fn all_connections_of_a_user_share_a_limit() {
    let gateway = Gateway::with(SMALL);
    let mut attackers: Vec<_> = (0..8).map(|_| connect(&gateway, "mallory")).collect();
    let mut twin = connect(&gateway, "alice");
    let ping = r#"{"id":2,"ping":{}}"#;
    let mut answers = Vec::new();
    for number in 0..2 * BURST {
        let attacker = &mut attackers[number % 8];
        send(attacker, ping);
        answers.push(next(attacker));
    }
    let answered = answers.iter().filter(|answer| answer["ping"].is_object()).count();
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == 111).count();
    assert!((BURST..BURST + 3).contains(&answered) && answered + refused == 2 * BURST, "{answers:?}");
    assert_eq!(gateway.limited("user_commands"), refused as u64);
    for _ in 0..3 {
        send(&mut attackers[0], ping);
    }
    assert_eq!(until_closed(&mut attackers[0]).1, 3013, "whoever goes on is closed");
    assert_eq!(gateway.limited("connection_commands"), 0, "no connection exceeds its own limit");
    assert_served(&mut twin);
}

#[test]
fn bytes_of_all_connections_count_together() {
    let settings =
        "[connection]\nmax_subscriptions = 1\nmessage_size = \"8KiB\"\n[limits.user]\nbytes_per_second = \"1KiB\"\nbytes_burst = \"10KiB\"";
    let gateway = Gateway::with(settings);
    let (mut one, mut other, mut twin) = (connect(&gateway, "mallory"), connect(&gateway, "mallory"), connect(&gateway, "alice"));
    let large = json!({"id": 2, "publish": {"channel": "open:a", "data": "x".repeat(4000)}}).to_string();
    let refused = (0..8).any(|_| {
        [&mut one, &mut other].into_iter().any(|client| {
            send(client, &large);
            next(client)["error"]["code"] == 111
        })
    });
    assert!(refused && gateway.limited("user_bytes") == 1);
    assert_served(&mut twin);
}
