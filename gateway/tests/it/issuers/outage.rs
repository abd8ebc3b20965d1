//! A source that goes away and comes back.

use super::{
    clients::tokens,
    connect::{Connected, all_in, connect},
    source::{Answer, Key, Source},
};
use crate::{
    client::{Client, handshake, masked},
    store_errors::until,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Fetches every four seconds, as long as they succeed, and else two to four seconds later.
const QUICK: &str = "jwks_refresh = \"4s\"\njwks_interval = \"2s\"\njwks_timeout = \"2s\"";
const INTERVAL: Duration = Duration::from_secs(2);

/// A frontend whose connection stays open.
struct Session(Client);

impl Session {
    fn open(address: std::net::SocketAddr, token: &str) -> Self {
        let mut client = Client::connect(address);
        client.send(handshake("/connection/websocket").as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 101 "));
        let mut session = Self(client);
        assert!(session.asks(&json!({"id": 1, "connect": {"token": token}}))["connect"].is_object());
        session
    }

    /// Sends a command and returns its reply.
    fn asks(&mut self, command: &Value) -> Value {
        self.0.send(&masked(0x81, command.to_string().as_bytes()));
        let id = command["id"].clone();
        loop {
            let payload = String::from_utf8(self.0.frame().expect("it stays open").payload).expect("text");
            let replies = payload.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            if let Some(reply) = replies.into_iter().find(|reply| reply["id"] == id) {
                return reply;
            }
        }
    }
}

#[test]
fn while_the_source_is_away_all_known_keys_count() {
    let key = Key::new("k1");
    let source = Source::start(Answer::keys(&[&key]));
    let gateway = source.gateway(QUICK);
    gateway.wait_for_first_fetch();
    source.set(Answer::Away);
    gateway.wait_for_fetch("unreachable");
    all_in(connect(gateway.public, tokens(&key)));
    assert_eq!(gateway.readiness(), json!({"ready": true}));
    assert_eq!(gateway.counted("jwks_refusals_total"), 0);
}

#[test]
fn an_unknown_key_is_a_temporary_error_until_an_interval_after_the_return() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let source = Source::start(Answer::keys(&[&old]));
    let gateway = source.gateway(QUICK);
    gateway.wait_for_first_fetch();
    source.set(Answer::Away);
    gateway.wait_for_fetch("unreachable");
    let away = Instant::now();
    while away.elapsed() < 2 * INTERVAL {
        let clients = connect(gateway.public, vec![new.token("alice"); 50]);
        assert!(clients.iter().all(|(client, _)| *client == Connected::Refused(100, true)), "{clients:?}");
    }
    assert!(gateway.counted("jwks_refusals_total") >= 50);
    source.set(Answer::keys(&[&old, &new]));
    let back = Instant::now();
    until("the interval", || back.elapsed() >= INTERVAL);
    all_in(connect(gateway.public, tokens(&new)));
}

#[test]
fn a_start_does_not_wait_for_the_source_and_readiness_names_it() {
    let key = Key::new("k1");
    let source = Source::start(Answer::Away);
    let gateway = source.gateway(QUICK);
    until("the first fetch", || gateway.fetches("unreachable") > 0);
    let readiness = gateway.readiness();
    let reason = readiness["reasons"][0].as_str().expect("a reason");
    assert!(readiness["ready"] == true && reason.contains("issuer \"https://login.example.com\""), "{reason}");
    assert!(reason.contains(&format!("http://{}/keys", source.address)), "{reason}");
    assert_eq!(gateway.refuses(&key.token("alice")), Some("Refused(100, true)".into()));
    source.set(Answer::keys(&[&key]));
    until("the keys", || gateway.refuses(&key.token("alice")).is_none());
    assert_eq!(gateway.readiness(), json!({"ready": true}));
}

#[test]
fn stale_keys_count_no_longer_and_their_clients_come_back_with_the_source() {
    let key = Key::new("k1");
    let source = Source::start(Answer::keys(&[&key]));
    let gateway = source.gateway(&format!("{QUICK}\njwks_stale = \"5s\""));
    gateway.wait_for_first_fetch();
    source.set(Answer::Away);
    until("the end of the keys", || gateway.refuses(&key.token("alice")) == Some("Refused(100, true)".into()));
    assert!(gateway.counted("jwks_age_seconds") >= 2);
    assert!(gateway.readiness()["reasons"][0].as_str().is_some_and(|reason| reason.starts_with("There are no keys")));
    source.set(Answer::keys(&[&key]));
    until("the keys", || gateway.refuses(&key.token("alice")).is_none());
}

#[test]
fn open_connections_survive_a_refresh_with_a_key_that_cannot_be_fetched() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let source = Source::start(Answer::keys(&[&old]));
    let settings = source.settings(QUICK, "");
    let gateway = super::source::Node::start(format!("{settings}\n[channel_defaults]\nsubscribe = \"token\""));
    gateway.wait_for_first_fetch();
    let mut session = Session::open(gateway.public, &old.token("alice"));
    source.set(Answer::Away);
    gateway.wait_for_fetch("unreachable");
    let error = session.asks(&json!({"id": 2, "refresh": {"token": new.token("alice")}}))["error"].clone();
    assert_eq!((&error["code"], &error["temporary"]), (&json!(100), &json!(true)), "{error}");
    let token = new.token_with("alice", json!({"channel": "lobby"}));
    let error = session.asks(&json!({"id": 3, "subscribe": {"channel": "lobby", "token": token}}))["error"].clone();
    assert_eq!((&error["code"], &error["temporary"]), (&json!(100), &json!(true)), "{error}");
    source.set(Answer::keys(&[&old, &new]));
    let mut id = 4;
    until("the refresh", || {
        id += 1;
        session.asks(&json!({"id": id, "refresh": {"token": new.token("alice")}}))["refresh"].is_object()
    });
    let token = new.token_with("alice", json!({"channel": "lobby"}));
    assert!(session.asks(&json!({"id": 1000, "subscribe": {"channel": "lobby", "token": token}}))["subscribe"].is_object());
}
