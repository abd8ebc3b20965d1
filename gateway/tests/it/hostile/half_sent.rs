//! Messages that never end: each holds memory until its deadline.

use super::support::{command, upgraded};
use crate::{
    client::Client,
    public::{ask, start_with},
};
use serde_json::json;
use std::time::{Duration, Instant};

const SETTINGS: &str = "[public]\nrequest_timeout = \"1s\"\n[internal]\nrequest_timeout = \"1s\"\nbody_timeout = \"1s\"\n[connection]\nmessage_timeout = \"500ms\"\n\
    [tokens]\nhmac_secret = \"s\"\nanonymous = true\n[[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[namespaces.open]\nsubscribe = \"anyone\"";
/// Attackers of each kind. Each sends all of its message but the end.
const ATTACKERS: usize = 50;
/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn messages_without_an_end_are_ended_and_nobody_waits_for_them() {
    let (public, internal) = start_with(SETTINGS.to_owned());
    let mut honest = upgraded(public);
    command(&mut honest, &json!({"id": 1, "connect": {}})).expect("connected");

    let half_frame = |first: u8| {
        let mut client = upgraded(public);
        let mut frame = vec![first, 0x80 | 0x7E, 0x40, 0x00, 1, 2, 3, 4];
        frame.resize(8 << 10, b'x');
        client.send(&frame);
        client
    };
    let half_head = || {
        let mut client = Client::connect(public);
        client.send(b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\nX-Padding: ");
        client
    };
    let half_body = || {
        let mut client = Client::connect(internal);
        let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\nContent-Length: 30000";
        client.send(format!("POST /v1/channels/open:a/publications HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{{\"data\":\"").as_bytes());
        client
    };
    let mut attackers: Vec<Client> = (0..ATTACKERS).flat_map(|_| [half_frame(0x81), half_frame(0x01), half_head(), half_body()]).collect();

    // While all of them wait, others are served.
    for (id, channel) in (2..).zip(["open:a", "open:b", "open:c"]) {
        let answer = command(&mut honest, &json!({"id": id, "subscribe": {"channel": channel}})).expect("it stays open");
        assert!(answer["subscribe"].is_object(), "{answer}");
    }
    assert!(ask(internal, "GET", "/livez", "", "").0.starts_with("http/1.1 200 "));

    let began = Instant::now();
    for attacker in &mut attackers {
        attacker.reset();
    }
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let answer = command(&mut honest, &json!({"id": 9, "subscribe": {"channel": "open:d"}})).expect("it outlives them");
    assert!(answer["subscribe"].is_object(), "{answer}");
}
