//! The transports of the SDK without WebSockets: a response without an end, and requests with the commands, which may go to any node.

use super::ended::Ended;
use crate::{tally::Count, world::World};
use gateway_core::protocol::{centrifuge::Codec, event_stream::testing::read};
use reqwest::{RequestBuilder, Response, StatusCode, Url, header::CONTENT_TYPE};
use serde_json::json;
use shared_proto::frontend::Connected;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Message;

/// How a stream divides its bytes into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Lines of JSON, or Protobuf with the length before each message (`http_stream`).
    Plain,
    /// An event for each line of JSON (`sse`).
    Events,
}

/// One stream.
pub(crate) struct SdkStream {
    world: Arc<World>,
    framing: Framing,
    codec: Codec,
    response: Response,
    /// What belongs to no complete message.
    received: Vec<u8>,
    /// What requests with commands name: the node and the session.
    route: (String, String),
}

/// `EmulationRequest` of the protocol.
#[derive(Clone, PartialEq, prost::Message)]
struct EmulationRequest {
    #[prost(string, tag = "1")]
    node: String,
    #[prost(string, tag = "2")]
    session: String,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
}

impl SdkStream {
    /// Opens a stream of any node with the connect command.
    pub(super) async fn open(world: Arc<World>, framing: Framing, codec: Codec, connect: Message) -> Result<Self, Ended> {
        let base = format!("http://{}", world.any_node().public.address());
        let request = match framing {
            Framing::Plain => with_body(world.http.post(format!("{base}/connection/http_stream")), codec, connect.into_data().to_vec()),
            Framing::Events => {
                let commands = String::from_utf8(connect.into_data().to_vec()).expect("it is JSON");
                let url = Url::parse_with_params(&format!("{base}/connection/sse"), &[("cf_connect", commands)]);
                world.http.get(url.expect("it is a URL"))
            }
        };
        let response = request.send().await.map_err(|_| Ended::Broken)?;
        match response.status() {
            StatusCode::OK => {}
            // The node drains.
            StatusCode::SERVICE_UNAVAILABLE => return Err(Ended::Broken),
            other => return Err(Ended::Malformed(format!("a stream was answered {other}"))),
        }
        Ok(Self { world, framing, codec, response, received: Vec::new(), route: Default::default() })
    }

    /// The connect command was answered.
    pub(super) fn connected(&mut self, answer: Connected) -> Result<(), Ended> {
        if answer.session.is_empty() || answer.node.is_empty() {
            return Err(Ended::Malformed("a connect reply on a stream has no session".into()));
        }
        self.route = (answer.node, answer.session);
        Ok(())
    }

    /// Posts commands to any node. If they may be lost, the connection counts as broken: an SDK would wait for the reply, and connect again then.
    pub(super) async fn post(&self, commands: Message) -> Result<(), Ended> {
        let ((node, session), data) = (self.route.clone(), commands.into_data().to_vec());
        let body = match self.codec {
            Codec::Json => {
                let data = String::from_utf8(data).expect("it is JSON");
                json!({ "node": node, "session": session, "data": data }).to_string().into_bytes()
            }
            Codec::Protobuf => prost::Message::encode_to_vec(&EmulationRequest { node, session, data }),
        };
        let request = self.world.http.post(format!("http://{}/emulation", self.world.any_node().public.address()));
        let answer = with_body(request, self.codec, body).send().await.ok().map(|answer| answer.status());
        self.world.count_post(answer);
        match answer {
            Some(StatusCode::NO_CONTENT) => Ok(()),
            // The node of the session has ended, the commands cannot be delivered or may not have been, or nobody answered.
            Some(StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) | None => Err(Ended::Broken),
            Some(other) => {
                self.world.tally.violation(Count::Other, 1, || format!("commands were answered {other}"));
                Err(Ended::Broken)
            }
        }
    }

    /// The next messages, as one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Message, Ended> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.received.extend_from_slice(&bytes),
                Ok(None) | Err(_) => return Err(Ended::Broken),
            }
        }
    }

    /// Takes all complete messages.
    fn take_message(&mut self) -> Result<Option<Message>, Ended> {
        let length = match (self.framing, self.codec) {
            (Framing::Events, _) => self.received.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2),
            (Framing::Plain, Codec::Json) => self.received.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
            (Framing::Plain, Codec::Protobuf) => complete_messages(&self.received),
        };
        let bytes: Vec<u8> = self.received.drain(..length).collect();
        let text = |bytes| String::from_utf8(bytes).map_err(|error| Ended::Malformed(error.to_string()));
        let message = match (self.framing, self.codec) {
            (Framing::Events, _) => {
                let lines: Vec<_> = read(&bytes).events.into_iter().map(|event| event.data).collect();
                Message::text(lines.join("\n"))
            }
            (Framing::Plain, Codec::Json) => Message::text(text(bytes)?),
            (Framing::Plain, Codec::Protobuf) => Message::binary(bytes),
        };
        Ok(Some(message).filter(|message| !message.is_empty()))
    }
}

fn with_body(request: RequestBuilder, codec: Codec, body: Vec<u8>) -> RequestBuilder {
    let kind = match codec {
        Codec::Json => "application/json",
        Codec::Protobuf => "application/octet-stream",
    };
    request.header(CONTENT_TYPE, kind).body(body)
}

/// The length of all complete messages, each with its own length before it.
fn complete_messages(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    loop {
        let mut after = rest;
        let Ok(length) = prost::decode_length_delimiter(&mut after) else { break };
        let Some(next) = after.get(length..) else { break };
        rest = next;
    }
    bytes.len() - rest.len()
}
