//! Limits of one connection: commands, bytes, and messages before the connect.

use super::support::{Gateway, assert_served, next, send, until_closed, upgrade};
use crate::{
    client::{Client, masked},
    public::ask,
};
use serde_json::{Value, json};

/// Ten commands at once; three of them are for a client that comes back.
const SMALL: &str = r"
[connection]
max_subscriptions = 1
[recovery]
page_entries = 100
[limits.connection]
commands_per_second = 1
commands_burst = 8
";
const BURST: usize = 10;

fn lines(messages: &[Vec<u8>]) -> Vec<Value> {
    let text = messages.iter().map(|message| std::str::from_utf8(message).expect("text")).collect::<Vec<_>>().join("\n");
    text.lines().filter(|line| *line != "{}").map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_flood_of_commands_is_refused_and_then_closed() {
    let gateway = Gateway::with(SMALL);
    let (mut attacker, mut twin) = (gateway.connected(), gateway.connected());
    let flood: Vec<_> = (2..60).map(|id| format!("{{\"id\":{id},\"ping\":{{}}}}")).collect();
    send(&mut attacker, &flood.join("\n"));
    let (messages, code) = until_closed(&mut attacker);
    assert_eq!(code, 3013);
    let replies = lines(&messages);
    let refused = replies.iter().filter(|reply| reply["error"]["code"] == 111 && reply["error"]["temporary"] == true).count();
    let answered = replies.iter().filter(|reply| reply["ping"].is_object()).count();
    // A second may have passed meanwhile, with one command more.
    assert!((BURST..=BURST + 2).contains(&answered) && (BURST..=BURST + 2).contains(&refused), "{answered}, {refused}");
    assert_eq!(gateway.limited("connection_commands"), refused as u64 + 1);
    assert_eq!(gateway.counted(r#"switchboard_replies_error_total{code="too_many_requests"}"#), refused as u64);
    assert_eq!(gateway.counted(r#"switchboard_connections_closed_total{cause="too_many_requests",code="3013"}"#), 1);
    assert_served(&mut twin);
}

#[test]
fn a_flood_in_protobuf_is_the_same_flood() {
    let gateway = Gateway::with(SMALL);
    let mut twin = gateway.connected();
    let mut attacker = gateway.upgraded("/connection/websocket?format=protobuf");
    attacker.send(&masked(0x82, &[4, 0x08, 1, 0x22, 0]));
    attacker.frame().expect("the connect reply");
    let ping = [4, 0x08, 2, 0x5A, 0];
    attacker.send(&masked(0x82, &ping.repeat(60)));
    assert_eq!(until_closed(&mut attacker).1, 3013);
    assert!(gateway.limited("connection_commands") >= BURST as u64);
    assert_served(&mut twin);
}

#[test]
fn control_frames_and_heart_beats_cost_as_much_as_commands() {
    let gateway = Gateway::with(SMALL);
    let mut twin = gateway.connected();
    for frame in [masked(0x89, b"x"), masked(0x8A, b""), masked(0x81, b"{}")] {
        let mut attacker = gateway.connected();
        attacker.send(&frame.repeat(60));
        assert_eq!(until_closed(&mut attacker).1, 3013, "{frame:?}");
    }
    let mut attacker = gateway.upgraded("/stomp");
    send(&mut attacker, "CONNECT\naccept-version:1.2\n\n\0");
    attacker.send(&masked(0x81, b"\n").repeat(60));
    let (messages, code) = until_closed(&mut attacker);
    assert_eq!((messages.len(), code), (1, 3013), "the client may connect again, so nothing but CONNECTED comes");
    assert_served(&mut twin);
}

#[test]
fn a_flood_in_stomp_gets_an_error_and_is_closed() {
    let gateway = Gateway::with(SMALL);
    let (mut attacker, mut twin) = (gateway.upgraded("/stomp"), gateway.upgraded("/stomp"));
    for client in [&mut attacker, &mut twin] {
        send(client, "CONNECT\naccept-version:1.2\n\n\0");
        assert!(client.frame().expect("CONNECTED").payload.starts_with(b"CONNECTED\n"));
    }
    let publish = "SEND\ndestination:/topic/open:a\ncontent-type:application/json\n\n1\0";
    send(&mut attacker, &publish.repeat(60));
    let (messages, _) = until_closed(&mut attacker);
    let last = String::from_utf8_lossy(messages.last().expect("an ERROR")).into_owned();
    assert!(last.starts_with("ERROR\n") && last.contains("code:111\n"), "{last}");
    assert!(gateway.limited("connection_commands") > 0);
    send(&mut twin, "SEND\ndestination:/topic/open:a\ncontent-type:application/json\nreceipt:r\n\n1\0");
    assert!(twin.frame().expect("a RECEIPT").payload.starts_with(b"RECEIPT\n"));
}

/// A client whose messages an HTTP response carries.
struct Stream {
    client: Client,
    node: Value,
    session: Value,
}

impl Stream {
    fn open(gateway: &Gateway) -> Self {
        let mut client = Client::connect(gateway.public);
        let connect = r#"{"id":1,"connect":{}}"#;
        let length = connect.len();
        client.send(
            format!(
                "POST /connection/http_stream HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{connect}"
            )
            .as_bytes(),
        );
        assert!(client.head().starts_with("HTTP/1.1 200 "));
        let reply: Value = serde_json::from_slice(&client.until(b"\n")).expect("JSON");
        Self { client, node: reply["connect"]["node"].clone(), session: reply["connect"]["session"].clone() }
    }

    fn post(&self, gateway: &Gateway, commands: &str) {
        let body = json!({"node": self.node, "session": self.session, "data": commands}).to_string();
        let (head, _) = ask(gateway.public, "POST", "/emulation", "Content-Type: application/json\r\n", &body);
        assert!(head.starts_with("http/1.1 204 "), "{head}");
    }
}

#[test]
fn a_flood_by_posts_is_the_same_flood() {
    let gateway = Gateway::with(SMALL);
    let (mut attacker, mut twin) = (Stream::open(&gateway), Stream::open(&gateway));
    let flood: Vec<_> = (2..60).map(|id| format!("{{\"id\":{id},\"ping\":{{}}}}")).collect();
    attacker.post(&gateway, &flood.join("\n"));
    let rest = String::from_utf8(attacker.client.rest()).expect("text");
    assert!(rest.contains(r#""code":111"#) && rest.contains(r#"{"push":{"disconnect":{"code":3013"#), "{rest}");
    twin.post(&gateway, r#"{"id":2,"ping":{}}"#);
    twin.client.until(br#"{"id":2,"ping":{}}"#);
}

#[test]
fn entries_of_answers_use_up_the_burst() {
    let gateway = Gateway::with(&SMALL.replace("commands_burst = 8", "commands_burst = 300"));
    let (mut filler, mut twin) = (gateway.connected(), gateway.connected());
    for _ in 0..200 {
        send(&mut filler, r#"{"id":2,"publish":{"channel":"open:a","data":1}}"#);
        assert_eq!(next(&mut filler), json!({"id": 2, "publish": {}}));
    }
    let mut attacker = gateway.connected();
    let refused_at = (1..300).find(|_| {
        send(&mut attacker, r#"{"id":3,"history":{"channel":"open:a","limit":1000}}"#);
        next(&mut attacker)["error"]["code"] == 111
    });
    // 302 commands; each answer with 200 entries costs 3. Some seconds may pass meanwhile.
    assert!(refused_at.is_some_and(|at| (100..120).contains(&at)), "{refused_at:?}");
    assert_served(&mut twin);
}

#[test]
fn a_flood_of_bytes_is_closed() {
    let gateway = Gateway::with(
        "[connection]\nmax_subscriptions = 1\nmessage_size = \"8KiB\"\n[limits.connection]\nbytes_per_second = \"1KiB\"\nbytes_burst = \"2KiB\"",
    );
    let (mut attacker, mut twin) = (gateway.connected(), gateway.connected());
    let large = json!({"id": 2, "publish": {"channel": "open:a", "data": "x".repeat(4000)}}).to_string();
    let mut replies = Vec::new();
    for _ in 0..3 {
        send(&mut attacker, &large);
        replies.push(next(&mut attacker));
    }
    assert!(replies.iter().all(|reply| reply["publish"].is_object()), "one message of the largest size fits besides: {replies:?}");
    send(&mut attacker, &large);
    assert_eq!(next(&mut attacker)["error"]["code"], 111);
    for _ in 0..4 {
        send(&mut attacker, &large);
    }
    assert_eq!(until_closed(&mut attacker).1, 3013);
    assert!(gateway.limited("connection_bytes") >= 2);
    assert_served(&mut twin);
}

#[test]
fn before_the_connect_messages_are_small() {
    let gateway = Gateway::with("[limits.connection]\nconnect_size = \"2KiB\"");
    let large = |size: usize| json!({"id": 1, "connect": {"data": "x".repeat(size)}}).to_string();
    let mut attacker = gateway.upgraded("/connection/websocket");
    send(&mut attacker, &large(2100));
    assert_eq!(until_closed(&mut attacker).1, 1009);
    let mut attacker = gateway.upgraded("/stomp");
    send(&mut attacker, &format!("CONNECT\naccept-version:1.2\nx:{}\n\n\0", "x".repeat(2100)));
    assert_eq!(until_closed(&mut attacker).1, 1009);
    assert_eq!(gateway.limited("message_before_connect"), 2);

    let lines = "Content-Type: application/json\r\n";
    let (head, body) = ask(gateway.public, "POST", "/connection/http_stream", lines, &large(2100));
    assert!(head.starts_with("http/1.1 413 ") && body.contains("limits.connection.connect_size"), "{head}{body}");
    let (head, _) = ask(gateway.public, "POST", "/connection/http_stream", lines, &large(9000));
    assert!(head.starts_with("http/1.1 413 "), "{head}");

    let mut twin = gateway.upgraded("/connection/websocket");
    send(&mut twin, &large(1900));
    next(&mut twin);
    send(&mut twin, &json!({"id": 2, "publish": {"channel": "open:a", "data": "x".repeat(20_000)}}).to_string());
    assert_eq!(next(&mut twin), json!({"id": 2, "publish": {}}), "connected clients send large messages");
    let (_, status, _) = upgrade(gateway.public, "/connection/websocket", "");
    assert_eq!(status, 101);
}
