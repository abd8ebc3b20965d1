//! Encodes and decodes the frames on the socket.

use crate::client::link::counts::{Counts, increment};
use crate::json;
use crate::link::{ToGateway, ToService};
use futures_util::{Sink, SinkExt};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};

/// A message from the node. Every message proves that the node is alive.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(Box<ToService>),
    Pong(Bytes),
    /// A ping, or a frame of an unknown kind.
    Ignored,
}

/// Decodes what the socket received. An error means that the link has ended or must be closed.
pub(super) fn decode(received: Option<Result<Message, SocketError>>, counts: &Counts) -> Result<Incoming, ()> {
    let message = match received {
        Some(Ok(message)) => message,
        Some(Err(SocketError::Capacity(_) | SocketError::Protocol(_) | SocketError::Utf8(_))) => {
            increment(&counts.malformed);
            return Err(());
        }
        Some(Err(_)) | None => return Err(()),
    };
    match message {
        Message::Text(text) => decode_text(text.as_str(), counts),
        Message::Pong(payload) => Ok(Incoming::Pong(payload)),
        Message::Ping(_) => Ok(Incoming::Ignored),
        Message::Close(_) => Err(()),
        Message::Binary(_) | Message::Frame(_) => {
            increment(&counts.malformed);
            Err(())
        }
    }
}

fn decode_text(text: &str, counts: &Counts) -> Result<Incoming, ()> {
    let error = match json::read(text) {
        Ok(frame) => return Ok(Incoming::Frame(Box::new(frame))),
        Err(error) => error,
    };
    if has_unknown_kind(text) {
        increment(&counts.unknown);
        return Ok(Incoming::Ignored);
    }
    tracing::warn!(%error, "the node sent an invalid frame");
    increment(&counts.malformed);
    Err(())
}

/// Whether this has the form of a frame, with a kind that this version does not know.
fn has_unknown_kind(text: &str) -> bool {
    const KNOWN: [&str; 8] = ["welcome", "call", "cancel", "event", "ack", "nack", "drain", "error"];
    #[expect(clippy::zero_sized_map_values, reason = "a JSON object is read as a map, and only its keys are wanted")]
    let kinds: Result<HashMap<String, IgnoredAny>, _> = serde_json::from_str(text);
    kinds.is_ok_and(|kinds| kinds.len() == 1 && kinds.keys().all(|kind| !KNOWN.contains(&kind.as_str())))
}

/// Encodes a frame as JSON.
pub(super) fn encode(frame: &ToGateway) -> String {
    serde_json::to_string(frame).expect("frames have only string keys and valid raw values")
}

/// Writes all queued messages, in as few writes as possible. Returns when the queue is closed, a write fails, or a write takes longer than
/// `write_timeout`.
pub(super) async fn write_all(
    mut sink: impl Sink<Message, Error = SocketError> + Unpin,
    mut queued: mpsc::Receiver<Message>,
    write_timeout: Duration,
) {
    while let Some(first) = queued.recv().await {
        let batch = async {
            sink.feed(first).await?;
            while let Ok(next) = queued.try_recv() {
                sink.feed(next).await?;
            }
            sink.flush().await
        };
        if !matches!(timeout(write_timeout, batch).await, Ok(Ok(()))) {
            return;
        }
    }
}
