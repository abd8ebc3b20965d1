//! A cheap client of streams: a response without an end in place of a WebSocket.

use super::{
    TEXT,
    endpoint::Endpoint,
    receiver::{Closed, READ_SIZE, Receiver},
};
use crate::{http::Http, result::Result, server::Server};
use memchr::memmem;
use prost::Message;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// A stream of the SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SdkStream {
    /// `http_stream` with JSON.
    Lines,
    /// `http_stream` with Protobuf.
    Protobuf,
    /// `sse`.
    Events,
}

/// How a stream divides its bytes into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Lines,
    /// The length before each message.
    Lengths,
    Events,
}

/// An open stream.
pub(crate) struct StreamClient {
    receiver: Receiver,
    framing: Framing,
}

/// A stream of the SDK with its connect command answered.
pub(crate) struct SdkConnection {
    client: StreamClient,
    kind: SdkStream,
    node: String,
    session: String,
}

/// What an EventSource asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventsRequest<'a> {
    pub(crate) channels: &'a [String],
    pub(crate) has_envelope: bool,
    /// The id of the last event; empty for none.
    pub(crate) last_id: &'a str,
}

impl StreamClient {
    /// Opens the event stream of an EventSource. Returns what the stream begins with, too.
    pub(crate) async fn event_source(
        server: &Endpoint,
        number: usize,
        receive_buffer: Option<u32>,
        request: EventsRequest<'_>,
    ) -> Result<(Self, Vec<u8>)> {
        let EventsRequest { channels, has_envelope, last_id } = request;
        let mut path = format!("/events?envelope={has_envelope}");
        channels.iter().try_for_each(|channel| write!(path, "&channel={channel}"))?;
        let last_id = if last_id.is_empty() { String::new() } else { format!("last-event-id: {last_id}\r\n") };
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{}{last_id}\r\n", server.headers);
        let receiver = Receiver::open(server, number, receive_buffer, request.as_bytes(), 200).await?;
        let mut client = Self { receiver, framing: Framing::Events };
        let opening = client.receive(b"\n\n").await?;
        Ok((client, opening))
    }

    pub(crate) fn local_port(&self) -> Result<u16> {
        self.receiver.local_port()
    }

    /// Waits for bytes, then calls `handle` with all complete messages together, as they were sent. Reads at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: usize, mut handle: impl FnMut(u8, &[u8])) -> Result<(), Closed> {
        let framing = self.framing;
        let take = |received: &[u8]| {
            let length = framing.complete(received);
            if length > 0 {
                handle(TEXT, &received[..length]);
            }
            length
        };
        self.receiver.read(limit, take).await
    }

    /// Returns the next complete messages, up to some that contain `part`.
    async fn receive(&mut self, part: &[u8]) -> Result<Vec<u8>> {
        let (mut messages, framing) = (Vec::new(), self.framing);
        self.receiver.take_first(|received| {
            let length = framing.complete(received);
            messages.extend_from_slice(&received[..length]);
            length
        });
        while memmem::find(&messages, part).is_none() || messages.is_empty() {
            let read = self.read(READ_SIZE, |_, payload| messages.extend_from_slice(payload)).await;
            read.map_err(|Closed| format!("the server ended the stream after {}", messages.trim_ascii().escape_ascii()))?;
        }
        Ok(messages)
    }
}

impl SdkConnection {
    /// Opens a stream and connects anonymously.
    pub(crate) async fn open(server: &Endpoint, kind: SdkStream, number: usize, receive_buffer: Option<u32>) -> Result<Self> {
        let (request, framing) = match kind {
            SdkStream::Lines => (http_stream(server, "application/json", br#"{"id":1,"connect":{}}"#), Framing::Lines),
            SdkStream::Protobuf => {
                let connect = Command { id: 1, connect: Some(Connect { name: String::new() }), subscribe: None };
                (http_stream(server, "application/octet-stream", &connect.encode_length_delimited_to_vec()), Framing::Lengths)
            }
            SdkStream::Events => {
                let connect = "%7B%22id%22:1,%22connect%22:%7B%7D%7D";
                (
                    format!("GET /connection/sse?cf_connect={connect} HTTP/1.1\r\nhost: bench\r\n{}\r\n", server.headers).into_bytes(),
                    Framing::Events,
                )
            }
        };
        let receiver = Receiver::open(server, number, receive_buffer, &request, 200).await?;
        let mut client = StreamClient { receiver, framing };
        let answer = client.receive(if kind == SdkStream::Protobuf { b"" } else { br#""connect":"# }).await?;
        let (node, session) = match kind {
            SdkStream::Protobuf => {
                let Reply { connect, .. } = Reply::decode_length_delimited(&answer[..])?;
                connect.map(|connected| (connected.node, connected.session)).unwrap_or_default()
            }
            SdkStream::Lines | SdkStream::Events => {
                let answer = json_of(&answer).next().unwrap_or_default();
                let text = |name: &str| answer["connect"][name].as_str().unwrap_or_default().to_owned();
                (text("node"), text("session"))
            }
        };
        if session.is_empty() {
            return Err("the connect reply has no session".into());
        }
        Ok(Self { client, kind, node, session })
    }

    /// Subscribes with a request of its own, and returns what comes with the reply. `more` is added to the command in JSON.
    pub(crate) async fn subscribe(self, server: &Server, channel: &str, more: &str) -> Result<(StreamClient, Vec<u8>)> {
        let (content_type, body) = self.subscribe_request(channel, more);
        server.post_commands(content_type, &body).await?;
        self.subscribed().await
    }

    /// The same over this connection.
    pub(crate) async fn subscribe_at(self, http: &mut Http, channel: &str, more: &str) -> Result<(StreamClient, Vec<u8>)> {
        let (content_type, body) = self.subscribe_request(channel, more);
        http.post_as("/emulation", content_type, &body).await?;
        self.subscribed().await
    }

    fn subscribe_request(&self, channel: &str, more: &str) -> (&'static str, Vec<u8>) {
        let Self { kind, node, session, .. } = self;
        if *kind == SdkStream::Protobuf {
            let subscribe = Subscribe { channel: channel.into(), ..Subscribe::default() };
            let data = Command { id: 2, connect: None, subscribe: Some(subscribe) }.encode_length_delimited_to_vec();
            let request = EmulationRequest { node: node.clone(), session: session.clone(), data };
            return ("application/octet-stream", request.encode_to_vec());
        }
        let data = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{more}}}}}"#);
        ("application/json", json!({ "node": node, "session": session, "data": data }).to_string().into_bytes())
    }

    /// Waits for the reply.
    async fn subscribed(mut self) -> Result<(StreamClient, Vec<u8>)> {
        let part: &[u8] = if self.kind == SdkStream::Protobuf { b"" } else { br#""subscribe":"# };
        let reply = self.client.receive(part).await?;
        Ok((self.client, reply))
    }
}

impl Framing {
    /// The length of all complete messages.
    fn complete(self, received: &[u8]) -> usize {
        match self {
            Self::Lines => memchr::memrchr(b'\n', received).map_or(0, |at| at + 1),
            Self::Events => memmem::rfind(received, b"\n\n").map_or(0, |at| at + 2),
            Self::Lengths => {
                let mut rest = received;
                loop {
                    let mut after = rest;
                    let Ok(length) = prost::decode_length_delimiter(&mut after) else { break };
                    let Some(next) = after.get(length..) else { break };
                    rest = next;
                }
                received.len() - rest.len()
            }
        }
    }
}

/// The JSON objects of lines and of events.
pub(crate) fn json_of(messages: &[u8]) -> impl Iterator<Item = Value> {
    let lines = messages.split(|byte| *byte == b'\n').map(|line| line.strip_prefix(b"data: ").unwrap_or(line));
    lines.filter_map(|line| serde_json::from_slice(line).ok()).filter(Value::is_object)
}

fn http_stream(server: &Endpoint, content_type: &str, body: &[u8]) -> Vec<u8> {
    let (length, more) = (body.len(), &server.headers);
    let head = format!(
        "POST /connection/http_stream HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{more}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// `Command` of the protocol.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) connect: Option<Connect>,
    #[prost(message, optional, tag = "5")]
    pub(crate) subscribe: Option<Subscribe>,
}

/// `ConnectRequest` of the protocol.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Connect {
    #[prost(string, tag = "4")]
    pub(crate) name: String,
}

/// `SubscribeRequest` of the protocol.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subscribe {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(string, tag = "12")]
    pub(crate) delta: String,
    #[prost(int64, tag = "14")]
    pub(crate) flag: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Reply {
    #[prost(message, optional, tag = "5")]
    connect: Option<ConnectResult>,
}

#[derive(Clone, PartialEq, Message)]
struct ConnectResult {
    #[prost(string, tag = "9")]
    session: String,
    #[prost(string, tag = "10")]
    node: String,
}

#[derive(Clone, PartialEq, Message)]
struct EmulationRequest {
    #[prost(string, tag = "1")]
    node: String,
    #[prost(string, tag = "2")]
    session: String,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_messages_count() {
        for (framing, received, expected) in [
            (Framing::Lines, &b"{}\n{\"a\":1}\n{"[..], 11),
            (Framing::Lines, b"{", 0),
            (Framing::Events, b":\n\ndata: 1\n\ndata: 2\n", 12),
            (Framing::Events, b"data: 1\n", 0),
            (Framing::Lengths, b"\x01a\x00\x02bb\x02b", 6),
            (Framing::Lengths, b"\x80", 0),
        ] {
            assert_eq!(framing.complete(received), expected, "{framing:?} {}", received.escape_ascii());
        }
    }
}
