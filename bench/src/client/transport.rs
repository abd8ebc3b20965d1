//! A subscriber over each transport, and what it gets.

use super::{
    CLOSE, Client, READ_SIZE, TEXT,
    receiver::Closed,
    stream::{EventsRequest, SdkConnection, SdkStream, StreamClient, json_of},
};
use crate::{result::Result, server::Server};

/// What carries the messages of a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Transport {
    /// A WebSocket, in JSON
    WebSocket,
    /// `http_stream` of the SDK, in JSON
    HttpStream,
    /// `sse` of the SDK
    Sse,
    /// An EventSource
    Events,
}

/// A subscribed connection.
pub(crate) enum Subscriber {
    WebSocket(Client),
    Stream(StreamClient),
}

/// What a subscriber of one channel with a history got.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) offsets: Vec<u64>,
    pub(crate) epoch: String,
    /// The code with which the gateway ended the connection. EventSources get none if they may come back.
    pub(crate) code: Option<u16>,
}

impl Transport {
    /// Opens connection number `number` and subscribes it. It begins behind what it got before, if that was something. What comes with the answer
    /// is added to `got`.
    pub(crate) async fn subscribe(
        self,
        server: &Server,
        number: usize,
        receive_buffer: Option<u32>,
        channel: &str,
        got: &mut Got,
    ) -> Result<Subscriber> {
        let (epoch, last) = (&got.epoch, got.offsets.last().copied().unwrap_or_default());
        let is_new = epoch.is_empty();
        let recover = if is_new { String::new() } else { format!(r#","recover":true,"epoch":"{epoch}","offset":{last}"#) };
        let kind = match self {
            Self::WebSocket => {
                let mut client = server.open_connection(number, receive_buffer).await?;
                client.connect("").await?;
                client.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{recover}}}}}"#)).await?;
                let answer = client.expect(r#""subscribe":"#).await?;
                got.add(self, TEXT, answer.as_bytes());
                return Ok(Subscriber::WebSocket(client));
            }
            Self::HttpStream => SdkStream::Lines,
            Self::Sse => SdkStream::Events,
            Self::Events => {
                let last_id = if is_new { String::new() } else { format!("{epoch}-{last}") };
                let request = EventsRequest { channels: &[channel.to_owned()], last_id: &last_id, ..EventsRequest::default() };
                let (client, opening) = StreamClient::event_source(&server.endpoint, number, receive_buffer, request).await?;
                got.add(self, TEXT, &opening);
                return Ok(Subscriber::Stream(client));
            }
        };
        let connection = SdkConnection::open(&server.endpoint, kind, number, receive_buffer).await?;
        let (client, answer) = connection.subscribe(server, channel, &recover).await?;
        got.add(self, TEXT, &answer);
        Ok(Subscriber::Stream(client))
    }
}

impl Subscriber {
    pub(crate) fn local_port(&self) -> Result<u16> {
        match self {
            Self::WebSocket(client) => client.local_port(),
            Self::Stream(client) => client.local_port(),
        }
    }

    /// Waits for bytes, then calls `handle` with each frame's opcode and payload, or with all complete messages of a stream together. Reads at
    /// most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: usize, handle: impl FnMut(u8, &[u8])) -> Result<(), Closed> {
        match self {
            Self::WebSocket(client) => client.read(limit, handle).await,
            Self::Stream(client) => client.read(limit, handle).await,
        }
    }

    /// Reads until the connection is closed. Calls `handle` with everything but the pings of WebSockets, which it answers.
    pub(crate) async fn receive_all(self, mut handle: impl FnMut(u8, &[u8])) {
        match self {
            Self::WebSocket(client) => client.receive_all(handle).await,
            Self::Stream(mut client) => while client.read(READ_SIZE, &mut handle).await.is_ok() {},
        }
    }
}

impl Got {
    /// Adds what a frame or the messages of a stream say.
    pub(crate) fn add(&mut self, transport: Transport, opcode: u8, payload: &[u8]) {
        if opcode == CLOSE {
            self.code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        } else if transport == Transport::Events {
            self.add_events(&String::from_utf8_lossy(payload));
        } else {
            json_of(payload).for_each(|message| self.add_message(&message));
        }
    }

    fn add_message(&mut self, message: &serde_json::Value) {
        if let Some(epoch) = message["subscribe"]["epoch"].as_str() {
            epoch.clone_into(&mut self.epoch);
        }
        if let Some(code) = message["push"]["disconnect"]["code"].as_u64() {
            self.code = u16::try_from(code).ok();
        }
        let recovered = message["subscribe"]["publications"].as_array().into_iter().flatten();
        self.offsets.extend(recovered.chain([&message["push"]["pub"]]).filter_map(|publication| publication["offset"].as_u64()));
    }

    fn add_events(&mut self, text: &str) {
        let mut offset: Option<u64> = None;
        for line in text.lines() {
            if let Some((epoch, at)) = line.strip_prefix("id: ").and_then(|id| id.split_once('-')) {
                epoch.clone_into(&mut self.epoch);
                offset = at.parse().ok();
            } else if line.starts_with("data: ") {
                self.offsets.extend(offset.take());
            }
        }
    }
}
