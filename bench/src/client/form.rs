//! What a subscriber negotiates with the gateway: the encoding, and what it asks for in its subscribe command.

use super::{
    Client, has_ping,
    stream::{Command, Connect, EventsRequest, SdkConnection, SdkStream, StreamClient, Subscribe},
    transport::Subscriber,
};
use crate::{result::Result, server::Server};
use memchr::memmem;
use prost::Message;
use serde_json::{Value, json};

/// The name of an SDK that gets numbers in place of channel names in Protobuf.
const SDK: &str = "go";
/// Groups of subscribers with different filters, and values of the tag `group`.
pub(crate) const GROUPS: usize = 10;

/// How a subscriber gets publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// JSON with channel names
    Json,
    /// JSON with numbers in place of channel names
    JsonCompact,
    /// Protobuf with channel names
    Protobuf,
    /// Protobuf with numbers in place of channel names
    ProtobufCompact,
    /// JSON with deltas
    JsonDelta,
    /// Protobuf with deltas
    ProtobufDelta,
    /// JSON; ten groups of subscribers with different filters, which all publications pass
    JsonPassed,
    /// JSON; ten groups of subscribers with different filters, each of which a tenth of the publications passes
    JsonSelected,
    /// STOMP 1.2; all subscriptions have the same id
    Stomp,
    /// STOMP 1.2; each subscription has an id of its own
    StompIds,
    /// JSON lines over `http_stream`
    HttpStream,
    /// Protobuf over `http_stream`
    HttpStreamProtobuf,
    /// JSON over `sse`
    Sse,
    /// An EventSource with one channel
    Events,
    /// An EventSource with one channel, whose publications come in envelopes
    EventsEnvelope,
    /// An EventSource with three channels, of which one gets the publications. There is a history, so ids have all positions
    EventsMany,
}

/// The settings for a history.
pub(crate) const HISTORY: &[(&str, &str)] = &[("NAMESPACES__OPEN__HISTORY_SIZE", "100"), ("NAMESPACES__OPEN__HISTORY_TTL", "1h")];

impl Form {
    /// The settings that the namespace `open` needs.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::JsonDelta | Self::ProtobufDelta => &[("NAMESPACES__OPEN__DELTA", "fossil")],
            Self::JsonPassed | Self::JsonSelected => &[("NAMESPACES__OPEN__TAGS_FILTER", "true")],
            Self::EventsMany => HISTORY,
            _ => &[],
        }
    }

    /// One of this many publications passes a subscriber's filter.
    pub(crate) fn selection(self) -> usize {
        if self == Self::JsonSelected { GROUPS } else { 1 }
    }

    fn is_protobuf(self) -> bool {
        matches!(self, Self::Protobuf | Self::ProtobufCompact | Self::ProtobufDelta | Self::HttpStreamProtobuf)
    }

    /// Opens connection number `number` and subscribes it.
    pub(crate) async fn subscriber(self, server: &Server, number: usize, channel: &str) -> Result<Subscriber> {
        let sdk = match self {
            Self::HttpStream => SdkStream::Lines,
            Self::HttpStreamProtobuf => SdkStream::Protobuf,
            Self::Sse => SdkStream::Events,
            Self::Events | Self::EventsEnvelope | Self::EventsMany => {
                let mut channels = vec![channel.to_owned()];
                if self == Self::EventsMany {
                    channels.extend([format!("{channel}-2"), format!("{channel}-3")]);
                }
                let request = EventsRequest { channels: &channels, has_envelope: self == Self::EventsEnvelope, ..EventsRequest::default() };
                return Ok(Subscriber::Stream(StreamClient::event_source(&server.endpoint, number, None, request).await?.0));
            }
            _ => return Ok(Subscriber::WebSocket(self.socket(server, number, channel).await?)),
        };
        let connection = SdkConnection::open(&server.endpoint, sdk, number, None).await?;
        Ok(Subscriber::Stream(connection.subscribe(server, channel, "").await?.0))
    }

    async fn socket(self, server: &Server, number: usize, channel: &str) -> Result<Client> {
        if let Some(id) = self.stomp_id(number) {
            return stomp_subscriber(server, number, channel, &id).await;
        }
        let path = if self.is_protobuf() { "/connection/websocket?format=protobuf" } else { "/connection/websocket" };
        let mut client = Client::open(&server.endpoint, path, number, None).await?;
        let flag = u32::from(matches!(self, Self::JsonCompact | Self::ProtobufCompact));
        let delta = if matches!(self, Self::JsonDelta | Self::ProtobufDelta) { "fossil" } else { "" };
        if self.is_protobuf() {
            let connect = Command { id: 1, connect: Some(Connect { name: SDK.into() }), subscribe: None };
            let subscribe = Subscribe { channel: channel.into(), delta: delta.into(), flag: flag.into() };
            client.send_binary(&connect.encode_length_delimited_to_vec()).await?;
            client.receive().await?;
            client.send_binary(&Command { id: 2, connect: None, subscribe: Some(subscribe) }.encode_length_delimited_to_vec()).await?;
            client.receive().await?;
        } else {
            let mut subscribe = json!({ "channel": channel, "flag": flag, "delta": delta });
            if let Some(filter) = self.filter(number % GROUPS) {
                subscribe["tf"] = filter;
            }
            client.connect("").await?;
            client.send(&json!({ "id": 2, "subscribe": subscribe }).to_string()).await?;
            client.expect(r#""subscribe":"#).await?;
        }
        Ok(client)
    }

    /// The id of a STOMP subscription; none for other protocols.
    fn stomp_id(self, number: usize) -> Option<String> {
        match self {
            Self::Stomp => Some("sub-0".into()),
            Self::StompIds => Some(format!("sub-{number}")),
            _ => None,
        }
    }

    fn filter(self, group: usize) -> Option<Value> {
        match self {
            Self::JsonPassed => Some(json!({ "key": "group", "cmp": "neq", "val": format!("none-{group}") })),
            Self::JsonSelected => Some(json!({ "key": "group", "cmp": "eq", "val": group.to_string() })),
            _ => None,
        }
    }

    /// The number of publications in a frame's payload, or in the bytes of a stream, without pings.
    pub(crate) fn count_messages(self, payload: &[u8]) -> usize {
        match self {
            Self::Stomp | Self::StompIds => return 1,
            // A ping is an empty object. The data of the publications has no such text.
            Self::Sse => return memmem::find_iter(payload, br#"data: {""#).count(),
            Self::Events | Self::EventsEnvelope | Self::EventsMany => return memmem::find_iter(payload, b"data: ").count(),
            _ => {}
        }
        let payload = if self == Self::HttpStream { payload.strip_suffix(b"\n").unwrap_or(payload) } else { payload };
        if !self.is_protobuf() {
            return memchr::memchr_iter(b'\n', payload).count() + 1 - usize::from(has_ping(payload));
        }
        let (mut rest, mut count) = (payload, 0);
        while let Ok(length) = prost::decode_length_delimiter(&mut rest) {
            rest = rest.get(length..).unwrap_or_default();
            count += usize::from(length > 0);
        }
        count
    }
}

/// Opens a STOMP connection and subscribes it.
async fn stomp_subscriber(server: &Server, number: usize, channel: &str, id: &str) -> Result<Client> {
    let mut client = Client::open(&server.endpoint, "/stomp", number, None).await?;
    client.send("CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0").await?;
    client.expect("CONNECTED\n").await?;
    client.send(&format!("SUBSCRIBE\nid:{id}\ndestination:/topic/{channel}\nreceipt:r\n\n\0")).await?;
    client.expect("RECEIPT\n").await?;
    Ok(client)
}
