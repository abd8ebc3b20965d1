//! Connects frontends, each with a token.

use futures_util::{SinkExt as _, StreamExt as _, future::join_all};
use serde_json::Value;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{client_async, tungstenite::Message};

/// What becomes of a client that connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connected {
    In,
    /// An error in the reply, and whether it is temporary.
    Refused(u64, bool),
    /// A close frame with this code.
    Closed(u16),
}

/// Connects one client for each token, all at once. Returns what became of each, and how long that took.
pub(super) fn connect(address: SocketAddr, tokens: Vec<String>) -> Vec<(Connected, Duration)> {
    shared_proto::http::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { join_all(tokens.iter().map(|token| connect_one(address, token))).await })
}

async fn connect_one(address: SocketAddr, token: &str) -> (Connected, Duration) {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let (mut socket, _) = client_async(format!("ws://{address}/connection/websocket"), socket).await.expect("upgraded");
    let begun = Instant::now();
    socket.send(Message::text(format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#))).await.expect("sent");
    let result = loop {
        match socket.next().await.expect("an answer").expect("a frame") {
            Message::Text(text) => {
                let line = text.lines().find(|line| line.contains(r#""id":1"#));
                let Some(reply) = line.map(|line| serde_json::from_str::<Value>(line).expect("JSON")) else { continue };
                break match &reply["error"] {
                    Value::Null => Connected::In,
                    error => Connected::Refused(error["code"].as_u64().expect("a code"), error["temporary"] == true),
                };
            }
            Message::Close(Some(frame)) => break Connected::Closed(frame.code.into()),
            _ => {}
        }
    };
    (result, begun.elapsed())
}

/// Asserts that all clients came in, and returns how long 99 % of them needed at most.
pub(super) fn all_in(mut clients: Vec<(Connected, Duration)>) -> Duration {
    for (client, _) in &clients {
        assert_eq!(*client, Connected::In);
    }
    clients.sort_by_key(|(_, took)| *took);
    clients[clients.len() * 99 / 100 - 1].1
}
