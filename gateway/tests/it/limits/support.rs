//! A gateway with small limits, and clients that keep to them or do not.

use crate::{
    client::{Client, Frame, KEY, handshake, masked},
    public::{ask, start_with},
};
use serde_json::{Value, json};
use std::net::SocketAddr;

const SETTINGS: &str = r#"
workers = 1
[tokens]
anonymous = true
hmac_secret = "s"
[demo]
enabled = true
[namespaces.open]
subscribe = "anyone"
publish = "anyone"
see_history = "anyone"
history_size = 1000
history_ttl = "1h"
"#;

/// A gateway: its public and its internal listener.
pub(super) struct Gateway {
    pub(super) public: SocketAddr,
    pub(super) internal: SocketAddr,
}

impl Gateway {
    /// A gateway with these limits.
    pub(super) fn with(limits: &str) -> Self {
        let (public, internal) = start_with(format!("{SETTINGS}{limits}\n"));
        Self { public, internal }
    }

    /// How often this limit was exceeded.
    pub(super) fn limited(&self, limit: &str) -> u64 {
        self.counted(&format!("switchboard_limited_total{{limit=\"{limit}\"}}"))
    }

    /// The value of a counter.
    pub(super) fn counted(&self, series: &str) -> u64 {
        let (_, metrics) = ask(self.internal, "GET", "/metrics", "", "");
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series} in {metrics}"));
        line.trim().parse().expect("a number")
    }

    /// A WebSocket at this path.
    pub(super) fn upgraded(&self, path: &str) -> Client {
        let mut client = Client::connect(self.public);
        client.send(handshake(path).as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    /// A connection of the Centrifuge protocol in JSON.
    pub(super) fn connected(&self) -> Client {
        let mut client = self.upgraded("/connection/websocket");
        send(&mut client, r#"{"id":1,"connect":{}}"#);
        let reply = next(&mut client);
        assert!(reply["connect"].is_object(), "{reply}");
        client
    }
}

/// Sends a text message.
pub(super) fn send(client: &mut Client, text: &str) {
    client.send(&masked(0x81, text.as_bytes()));
}

/// The next message that is not a ping of the gateway.
pub(super) fn next(client: &mut Client) -> Value {
    loop {
        let frame = client.frame().expect("it stays open");
        assert_eq!(frame.opcode, 1, "{:?}", frame.payload.escape_ascii().to_string());
        if frame.payload != b"{}" {
            return serde_json::from_slice(&frame.payload).expect("one line of JSON");
        }
    }
}

/// Reads until the connection is closed. Returns the messages, and the close code.
pub(super) fn until_closed(client: &mut Client) -> (Vec<Vec<u8>>, u16) {
    let mut messages = Vec::new();
    loop {
        match client.frame().expect("a close frame comes first") {
            Frame { opcode: 8, payload } => return (messages, u16::from_be_bytes([payload[0], payload[1]])),
            frame => messages.push(frame.payload),
        }
    }
}

/// Asserts that the gateway answers a command of this client.
pub(super) fn assert_served(client: &mut Client) {
    send(client, &json!({"id": 9, "publish": {"channel": "open:twin", "data": 1}}).to_string());
    assert_eq!(next(client), json!({"id": 9, "publish": {}}));
}

/// The status of an upgrade, and the head of the answer in small letters.
pub(super) fn upgrade(address: SocketAddr, path: &str, lines: &str) -> (Client, u16, String) {
    let mut client = Client::connect(address);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    );
    client.send(request.as_bytes());
    let head = client.head().to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (client, status, head)
}
