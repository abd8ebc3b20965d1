//! A frontend of each protocol, with raw bytes.

use crate::client::{Client, handshake, masked};
use gateway_core::protocol::centrifuge::{
    Codec,
    testing::{read_replies, write_command},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, net::SocketAddr};

/// How a frontend speaks with the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Json,
    Protobuf,
    Stomp,
    EventSource,
    HttpStream,
    Sse,
}

impl Protocol {
    pub(super) const ALL: [Self; 6] = [Self::Json, Self::Protobuf, Self::Stomp, Self::EventSource, Self::HttpStream, Self::Sse];
}

/// A connected frontend.
pub(super) struct Frontend {
    protocol: Protocol,
    client: Client,
}

impl Frontend {
    /// Connects with a token. The error is the answer to a connect that is refused: an error code, or what the protocol has in its place.
    pub(super) fn connect(protocol: Protocol, address: SocketAddr, token: &str) -> Result<Self, String> {
        let mut client = Client::connect(address);
        let connect = json!({"id": 1, "connect": {"token": token}});
        match protocol {
            Protocol::Json | Protocol::Protobuf => {
                let (codec, query, opcode) =
                    if protocol == Protocol::Json { (Codec::Json, "", 0x81) } else { (Codec::Protobuf, "?format=protobuf", 0x82) };
                client.send(handshake(&format!("/connection/websocket{query}")).as_bytes());
                assert!(client.head().starts_with("HTTP/1.1 101 "));
                client.send(&masked(opcode, &write_command(codec, &connect)));
                let reply = read_replies(codec, &client.frame().expect("a reply").payload).expect("valid");
                connected(&reply[0])?;
            }
            Protocol::Stomp => {
                client.send(handshake("/stomp").as_bytes());
                assert!(client.head().starts_with("HTTP/1.1 101 "));
                client.send(&masked(0x81, format!("CONNECT\naccept-version:1.2\nAuthorization:Bearer {token}\n\n\0").as_bytes()));
                let frame = String::from_utf8(client.frame().expect("a frame").payload).expect("text");
                if !frame.starts_with("CONNECTED\n") {
                    return Err(frame.lines().find_map(|line| line.strip_prefix("code:")).unwrap_or(&frame).to_owned());
                }
            }
            Protocol::EventSource => {
                client.send(format!("GET /events?channel=open:a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes());
                let head = client.head();
                if !head.starts_with("HTTP/1.1 200 ") {
                    let body = String::from_utf8(client.rest()).expect("text");
                    return Err(serde_json::from_str::<Value>(&body).expect("JSON")["code"].as_str().expect("a code").to_owned());
                }
            }
            Protocol::HttpStream => {
                let body = connect.to_string();
                let length = body.len();
                let lines = format!("Content-Type: application/json\r\nContent-Length: {length}");
                client.send(format!("POST /connection/http_stream HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}").as_bytes());
                assert!(client.head().starts_with("HTTP/1.1 200 "));
                connected(&serde_json::from_slice(client.until(b"\n").trim_ascii()).expect("JSON"))?;
            }
            Protocol::Sse => {
                let query = percent_encode(&connect.to_string());
                client.send(format!("GET /connection/sse?cf_connect={query} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
                assert!(client.head().starts_with("HTTP/1.1 200 "));
                client.until(b"data: ");
                connected(&serde_json::from_slice(client.until(b"\n").trim_ascii()).expect("JSON"))?;
            }
        }
        Ok(Self { protocol, client })
    }

    /// Sends a new token, over a WebSocket.
    pub(super) fn refresh(&mut self, token: &str) -> Value {
        assert_eq!(self.protocol, Protocol::Json);
        self.client.send(&masked(0x81, json!({"id": 2, "refresh": {"token": token}}).to_string().as_bytes()));
        loop {
            let frame = self.client.frame().expect("a reply");
            assert_eq!(frame.opcode, 1, "{frame:?}");
            let line: Value = serde_json::from_slice(&frame.payload).expect("JSON");
            if line != json!({}) {
                return line;
            }
        }
    }

    /// Reads until the gateway ends the connection. Returns the code and the reason with which it does.
    pub(super) fn end(&mut self) -> (u64, String) {
        match self.protocol {
            Protocol::Json | Protocol::Protobuf | Protocol::Stomp => loop {
                let frame = self.client.frame().expect("a close frame");
                if let (8, Some((code, reason))) = (frame.opcode, frame.payload.split_first_chunk()) {
                    return (u16::from_be_bytes(*code).into(), String::from_utf8(reason.to_vec()).expect("text"));
                }
            },
            Protocol::HttpStream | Protocol::Sse | Protocol::EventSource => {
                let rest = String::from_utf8(self.client.rest()).expect("text");
                let lines = rest.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
                let mut ends = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|value| match self.protocol {
                    Protocol::EventSource => value,
                    _ => value["push"]["disconnect"].clone(),
                });
                let end = ends.rfind(|end| end["code"].is_number()).unwrap_or_else(|| panic!("no end in {rest}"));
                (end["code"].as_u64().expect("a number"), end["reason"].as_str().unwrap_or_default().to_owned())
            }
        }
    }

    /// Whether the gateway has sent anything.
    pub(super) fn has_news(&mut self, within: std::time::Duration) -> bool {
        self.client.is_answered_within(within)
    }
}

fn connected(reply: &Value) -> Result<(), String> {
    if reply["connect"].is_object() { Ok(()) } else { Err(reply["error"]["code"].to_string()) }
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").expect("in memory");
        encoded
    })
}
