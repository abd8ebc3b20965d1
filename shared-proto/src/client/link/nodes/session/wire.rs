//! Frames to and from the socket.

use crate::client::link::Counts;
use crate::client::link::calls::count;
use crate::link::{ToGateway, ToService};
use futures_util::{Sink, SinkExt};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message};

/// What a message from the node is.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(Box<ToService>),
    Pong(Bytes),
    /// A control frame or one of a later version: only a sign of life.
    Alive,
}

/// Reads what came from the socket; an error means that the link is over.
pub(super) fn read(received: Option<Result<Message, SocketError>>, counts: &Counts) -> Result<Incoming, ()> {
    let message = match received {
        Some(Ok(message)) => message,
        Some(Err(SocketError::Capacity(_) | SocketError::Protocol(_) | SocketError::Utf8(_))) => {
            count(&counts.malformed);
            return Err(());
        }
        Some(Err(_)) | None => return Err(()),
    };
    match message {
        Message::Text(text) => parse(text.as_str(), counts),
        Message::Pong(payload) => Ok(Incoming::Pong(payload)),
        Message::Ping(_) => Ok(Incoming::Alive),
        Message::Close(_) => Err(()),
        Message::Binary(_) | Message::Frame(_) => {
            count(&counts.malformed);
            Err(())
        }
    }
}

fn parse(text: &str, counts: &Counts) -> Result<Incoming, ()> {
    let error = match serde_json::from_str(text) {
        Ok(frame) => return Ok(Incoming::Frame(Box::new(frame))),
        Err(error) => error,
    };
    if of_a_later_version(text) {
        count(&counts.unknown);
        return Ok(Incoming::Alive);
    }
    tracing::warn!(%error, "the node sent a frame that cannot be read");
    count(&counts.malformed);
    Err(())
}

/// Whether this is a frame in form, of a kind that is not known here.
fn of_a_later_version(text: &str) -> bool {
    const KNOWN: [&str; 8] = ["welcome", "call", "cancel", "event", "ack", "nack", "drain", "error"];
    #[expect(clippy::zero_sized_map_values, reason = "a JSON object is read as a map, and only its keys are wanted")]
    let kinds: Result<HashMap<String, IgnoredAny>, _> = serde_json::from_str(text);
    kinds.is_ok_and(|kinds| kinds.len() == 1 && kinds.keys().all(|kind| !KNOWN.contains(&kind.as_str())))
}

/// A frame as text.
pub(super) fn write(frame: &ToGateway) -> String {
    serde_json::to_string(frame).expect("frames have text keys and valid raw values, which is all that can fail")
}

/// Writes all that is queued, gathered into as few writes as may be. Ends when the socket fails, or takes nothing for `patience`.
pub(super) async fn write_all(
    mut sink: impl Sink<Message, Error = SocketError> + Unpin,
    mut queued: mpsc::Receiver<Message>,
    patience: Duration,
) {
    while let Some(first) = queued.recv().await {
        let batch = async {
            sink.feed(first).await?;
            while let Ok(next) = queued.try_recv() {
                sink.feed(next).await?;
            }
            sink.flush().await
        };
        if !matches!(timeout(patience, batch).await, Ok(Ok(()))) {
            return;
        }
    }
}
