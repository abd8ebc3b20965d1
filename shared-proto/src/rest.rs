//! Request and response bodies of the gateway's REST interface.

use crate::json::{objects, optional_object, optional_objects, or_default, present};
use crate::producer::Producer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

mod cluster;
mod queues;

pub use cluster::{
    AffectedNodesBody, DrainRequest, InstanceBody, LatencyBody, NodeBody, NodesBody, ReadyBody, ServiceBody, ServicesBody, TargetBody,
};
pub use queues::{DeadLetterBody, DeadLettersBody, DeletedEntriesBody, PauseRequest, QueueBody, QueuePartitionBody};

/// Whether a body with these `Content-Encoding` headers (RFC 9110, section 8.4) is not compressed. All interfaces refuse compressed bodies.
pub fn is_identity<'a>(encodings: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut codings = encodings.into_iter().flat_map(|list| list.split(|byte| *byte == b','));
    codings.all(|coding| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Body of a request to publish.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Any JSON, `null` included. The gateway does not interpret it. A publication has exactly one of `data`, `text` and `data_base64`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// A text, where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes as base64 with padding (RFC 4648, section 4), where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Tags, which subscribers receive with the data. The tag `content-type` is the content type of `text` or `data_base64`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub tags: BTreeMap<String, String>,
    /// Not stored: only the current subscribers receive it, and it has no position.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub ephemeral: bool,
    /// The number that a producer gave to this publish. It excludes `Idempotency-Key` and `ephemeral`.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
    /// Instead of one publication: 2 to 256, of which all are stored or none, with consecutive offsets. Excludes `data`, `text`, `data_base64`,
    /// `tags` and `ephemeral`.
    #[serde(default, deserialize_with = "optional_objects", skip_serializing_if = "Option::is_none")]
    pub publications: Option<Vec<PublishItem>>,
    /// Only for messages to a user: STOMP clients receive it in `/user/queue/<queue>`. It becomes the tag `queue`. Excludes `publications`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// One of the publications of a [`PublishRequest`] that are stored together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishItem {
    /// Any JSON, `null` included. The gateway does not interpret it. A publication has exactly one of `data`, `text` and `data_base64`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// A text, where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes as base64 with padding (RFC 4648, section 4), where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Tags, which subscribers receive with the data. The tag `content-type` is the content type of `text` or `data_base64`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub tags: BTreeMap<String, String>,
}

/// The position of a publication in its channel. In a channel without history, the epoch is empty and the offset is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PositionBody {
    /// The name of the channel's current timeline.
    pub epoch: String,
    /// A number that grows by one with each publication.
    pub offset: u64,
}

/// The positions of publications that were stored together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanBody {
    /// The name of the channel's current timeline.
    pub epoch: String,
    /// The offset of the first one.
    pub first: u64,
    /// The offset of the last one.
    pub last: u64,
}

/// One publication of a channel's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicationBody {
    /// Its offset.
    pub offset: u64,
    /// The publisher's JSON, `null` included. A publication has exactly one of `data`, `text` and `data_base64`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// The publisher's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The publisher's bytes, as base64 with padding (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// The publisher's tags. Text and bytes always have the tag `content-type`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The connection of the frontend that published it. Absent if a service published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfoBody>,
    /// The time at which the gateway accepted it, in milliseconds since 1970.
    pub time: u64,
}

/// The public information about a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientInfoBody {
    /// The user. Empty for an anonymous connection.
    pub user: String,
    /// The connection's public id.
    pub client: String,
    /// JSON from the connection's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub conn_info: Option<Box<RawValue>>,
    /// JSON from the subscription's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub chan_info: Option<Box<RawValue>>,
}

/// A page of history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryBody {
    /// The channel's current epoch.
    pub epoch: String,
    /// The newest offset.
    pub offset: u64,
    /// The publications, in the requested order.
    pub publications: Vec<PublicationBody>,
}

/// The current subscribers of a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresenceBody {
    /// The subscribed connections, up to a limit. A user with several connections occurs several times.
    pub clients: Vec<ClientInfoBody>,
}

/// The number of current subscribers of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PresenceStatsBody {
    /// Number of connections.
    pub clients: usize,
    /// Number of different users.
    pub users: usize,
}

/// A page of the active channels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelsBody {
    /// The channels, ordered by name.
    pub channels: Vec<ChannelBody>,
    /// The value of `after` for the next page. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Always `about:blank`. The member `code` identifies the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The standard phrase of the HTTP status.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Name in the error table.
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The error and what to do about it.
    pub detail: String,
    /// With `sequence_gap`: the number that the producer has to send next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// How long to wait before the next try, in milliseconds, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Body of a request to publish several publications.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// The publications, in the order in which the gateway publishes them.
    #[serde(deserialize_with = "objects")]
    pub publications: Vec<BatchItem>,
}

/// One publication of a [`BatchRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// The channel.
    pub channel: String,
    /// Any JSON, `null` included. The gateway does not interpret it. A publication has exactly one of `data`, `text` and `data_base64`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// A text, where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes as base64 with padding (RFC 4648, section 4), where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Tags, which subscribers receive with the data. The tag `content-type` is the content type of `text` or `data_base64`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub tags: BTreeMap<String, String>,
    /// Not stored: only the current subscribers receive it, and it has no position.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub ephemeral: bool,
    /// The idempotency key, with the meaning of the header `Idempotency-Key` of a single publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The number that a producer gave to this publish. It excludes `idempotency_key` and `ephemeral`.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
}

/// Response to a [`BatchRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchBody {
    /// One result for each publication, in the order of the request.
    pub results: Vec<BatchResult>,
}

/// The result of one publication of a batch: a position or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResult {
    /// The position of the publication. Absent if it was not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
    /// Whether an earlier request with the same idempotency key published it.
    #[serde(default, deserialize_with = "or_default")]
    pub replayed: bool,
    /// The reason why it was not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// Body of a request to publish one publication into many channels.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BroadcastRequest {
    /// Any JSON, `null` included. The gateway does not interpret it. A publication has exactly one of `data`, `text` and `data_base64`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// A text, where the namespaces allow any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes as base64 with padding (RFC 4648, section 4), where the namespaces allow any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Tags, which subscribers receive with the data. The tag `content-type` is the content type of `text` or `data_base64`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub tags: BTreeMap<String, String>,
    /// Not stored: only the current subscribers receive it, and it has no position.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(nullable))]
    pub ephemeral: bool,
    /// The channels. A broadcast has either `channels` or `users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// The users whose personal channels get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
    /// Always refused, because each channel has an order of its own.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
}

/// One channel in the list of active channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelBody {
    /// Its name.
    pub channel: String,
    /// Its newest position. Absent if the channel has no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
    /// Number of publications in its history.
    pub held: usize,
}

/// The current state of one channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelDetailBody {
    /// Its name.
    pub channel: String,
    /// Number of subscribed connections.
    pub subscribers: usize,
    /// Its newest position. Absent if the channel has no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionBody>,
}

/// One connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionBody {
    /// Its id.
    pub id: String,
    /// The user. Empty for an anonymous connection.
    pub user: String,
    /// The channels to which it is subscribed.
    pub channels: Vec<String>,
    /// The time of its connect, in milliseconds since 1970.
    pub since: u64,
    /// The address of its client, IPv4 or IPv6: what a proxy of `public.trusted_proxies` says, otherwise where the connection comes from. Absent if the
    /// connection is at a node of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A user's connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionsBody {
    /// The connections, in no particular order.
    pub connections: Vec<ConnectionBody>,
}

/// The number of connections that a request affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AffectedConnectionsBody {
    /// Number of connections.
    pub connections: usize,
}

/// Body of a request to revoke tokens: exactly one of `user`, `sid` and `jti`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RevocationRequest {
    /// All tokens of this user, whoever issued them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// All tokens of this session at the issuer: those whose claim `sid` is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The token whose claim `jti` is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The `iss` of the tokens with this `sid` or `jti`. If absent: tokens without `iss`. Not with `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Only tokens that were issued at this time or earlier (`iat`, in seconds since 1970), or do not say when. If absent: with `user` the present
    /// time, otherwise all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Close code for their connections, 3000 to 4999; 3503 if absent. After 3000 to 3499 and 4000 to 4499 clients connect again, with a new token
    /// if they can get one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// Close reason for their connections, at most 123 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A revocation that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevocationBody {
    /// What is revoked, as the audit log has it: `user:` and the user, or `sid:` or `jti:` and a digest of issuer and value.
    pub id: String,
    /// Tokens that were issued at this time or earlier are revoked, in seconds since 1970. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// When the revocation is forgotten, in seconds since 1970.
    pub expires_at: u64,
    /// Number of connections whose token has this user, `sid` or `jti`. Those whose token was issued after `before` stay.
    pub connections: usize,
}

/// Body of a request to subscribe a user.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscriptionRequest {
    /// The time at which the subscription ends, in seconds since 1970. If absent, it ends only when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = "uint64"))]
    pub expires_at: Option<u64>,
}

/// Body of a request to send a message outside any channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// Any JSON. The gateway does not interpret it.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
    /// A STOMP client receives the message in `/user/queue/<queue>`, and without `queue` not at all. 1 to 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}
