//! Bodies of the gateway's REST interface that a client needs.

use crate::json::{objects, or_default};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Whether a body with these `Content-Encoding` headers (RFC 9110 section 8.4) comes as it is. No interface here takes another one.
pub fn is_identity<'a>(encodings: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut codings = encodings.into_iter().flat_map(|list| list.split(|byte| *byte == b','));
    codings.all(|coding| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Body of a publish.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Opaque JSON.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
    /// Delivered along with the data.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub tags: BTreeMap<String, String>,
    /// Not stored, no position: only who is there now gets it.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub ephemeral: bool,
}

/// Where a publication stands in its channel; epoch empty and offset 0 where the channel keeps no history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PositionBody {
    /// The timeline.
    pub epoch: String,
    /// Grows by one with each publication.
    pub offset: u64,
}

/// One publication of a channel's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicationBody {
    /// Its place.
    pub offset: u64,
    /// Opaque JSON.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
    /// What the publisher put beside the data.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The frontend that published it; absent where a service did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfoBody>,
    /// Milliseconds since 1970 when the gateway took it.
    pub time: u64,
}

/// A connection as others see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientInfoBody {
    /// The user, empty for anonymous.
    pub user: String,
    /// The connection's public id.
    pub client: String,
    /// From the connection's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub conn_info: Option<Box<RawValue>>,
    /// From the subscription's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub chan_info: Option<Box<RawValue>>,
}

/// A page of history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryBody {
    /// The current timeline.
    pub epoch: String,
    /// The newest offset.
    pub offset: u64,
    /// In the order asked for.
    pub publications: Vec<PublicationBody>,
}

/// Who is subscribed to a channel now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresenceBody {
    /// One entry per connection, so that a user may be there several times; up to a limit.
    pub clients: Vec<ClientInfoBody>,
}

/// How many are subscribed to a channel now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresenceStatsBody {
    /// Connections.
    pub clients: usize,
    /// Different users.
    pub users: usize,
}

/// A page of the active channels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelsBody {
    /// In the order of their names.
    pub channels: Vec<ChannelBody>,
    /// Where the next page begins (`after` of the next request); absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status' own phrase.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Name in the error table.
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What happened and what to do.
    pub detail: String,
}

/// Body of a publish of many.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// Carried out in this order.
    #[serde(deserialize_with = "objects")]
    pub publications: Vec<BatchItem>,
}

/// One publication of a [`BatchRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// Where to.
    pub channel: String,
    /// Opaque JSON.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
    /// Delivered along with the data.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub tags: BTreeMap<String, String>,
    /// Not stored, no position: only who is there now gets it.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub ephemeral: bool,
    /// As the header `Idempotency-Key` of a single publish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Answer to a publish of many.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchBody {
    /// One for each publication, in the order of the request.
    pub results: Vec<BatchResult>,
}

/// What became of one publication of a batch: it has a position, or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResult {
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
    /// An earlier publish with the same key did it.
    #[serde(default, deserialize_with = "or_default")]
    pub replayed: bool,
    /// Why it was not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// One active channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelBody {
    /// Its name.
    pub channel: String,
    /// Its newest position; absent where it keeps no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
    /// Publications that are held.
    pub held: usize,
}

/// One channel now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelDetailBody {
    /// Its name.
    pub channel: String,
    /// Subscribed connections.
    pub subscribers: usize,
    /// Its newest position; absent where it keeps no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
}

/// One connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionBody {
    /// Its id.
    pub id: String,
    /// The user, empty for anonymous.
    pub user: String,
    /// Its subscriptions.
    pub channels: Vec<String>,
    /// Milliseconds since 1970 when it came.
    pub since: u64,
}

/// A user's connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionsBody {
    /// In no particular order.
    pub connections: Vec<ConnectionBody>,
}

/// How many connections a command concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConcernedBody {
    /// Connections.
    pub connections: usize,
}

/// Body of a subscription made for a user.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscriptionRequest {
    /// Seconds since 1970 when it ends by itself; absent: it stays until deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// Body of a message outside any channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// Opaque JSON.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
}

/// One node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeBody {
    /// Its name.
    pub name: String,
    /// Milliseconds since 1970 when it started.
    pub since: u64,
    /// Worker threads.
    pub workers: usize,
}

/// The cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodesBody {
    /// Every node.
    pub nodes: Vec<NodeBody>,
}

/// One instance of a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstanceBody {
    /// Its name.
    pub instance: String,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls and events that it may still be sent.
    pub credit: u32,
    /// Whether it said that it is about to leave.
    pub draining: bool,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
}

/// One service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceBody {
    /// Its name.
    pub service: String,
    /// How it is reached: `link`.
    pub reach: String,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Those that hold a link to the node that answers.
    pub instances: Vec<InstanceBody>,
}

/// The services of the settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServicesBody {
    /// By name.
    pub services: Vec<ServiceBody>,
}

/// Whether a node can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyBody {
    /// Whether it can.
    pub ready: bool,
    /// Why not; or, if it can, why not for all channels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}
