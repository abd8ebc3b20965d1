//! Frontends of gateways that are attacked.

use crate::{
    client::{Client, handshake, masked},
    public::ask,
};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What became of a frontend.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// It is connected as this user.
    In(String),
    /// Its command failed with this code, and the connection is open.
    Failed(u64),
    /// The gateway closed the connection with this code.
    Closed(u16),
}

/// A frontend with an upgraded connection.
pub(super) fn upgraded(public: SocketAddr) -> Client {
    let mut client = Client::connect(public);
    client.send(handshake("/connection/websocket").as_bytes());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client
}

/// Sends a command. Returns the answer, or the code of the close.
pub(super) fn command(client: &mut Client, command: &Value) -> Result<Value, u16> {
    client.send(&masked(0x81, command.to_string().as_bytes()));
    loop {
        let frame = client.frame().expect("a close comes before the end");
        match frame.opcode {
            8 => return Err(u16::from_be_bytes(*frame.payload.first_chunk().expect("with a code"))),
            _ if frame.payload != b"{}" => return Ok(serde_json::from_slice(&frame.payload).expect("JSON")),
            _ => {}
        }
    }
}

/// Connects with a token. The name of the user is what the token says, and not an answer of the gateway.
pub(super) fn enter(public: SocketAddr, token: &str) -> (Client, Entrance) {
    let mut client = upgraded(public);
    let entrance = match command(&mut client, &json!({"id": 1, "connect": {"token": token}})) {
        Ok(answer) if answer["connect"].is_object() => Entrance::In(answer["connect"]["client"].as_str().expect("an id").to_owned()),
        Ok(answer) => Entrance::Failed(answer["error"]["code"].as_u64().unwrap_or_else(|| panic!("{answer}"))),
        Err(code) => Entrance::Closed(code),
    };
    (client, entrance)
}

/// The user of a connection, as the gateway tells it to services.
pub(super) fn user_of(internal: SocketAddr, connection: &str) -> String {
    let (_, body) = ask(internal, "GET", &format!("/v1/connections/{connection}"), "Authorization: Bearer dev\r\n", "");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    body["user"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}
