//! Frames of the service link: the WebSocket that a service instance keeps open to a gateway node.
//!
//! Frames are JSON text. Each is an object with one member, whose name is the kind of the frame: `{"reply":{"id":7,"data":…}}`. `data` is a
//! [`RawValue`]. That type fails at run time inside internally tagged, untagged and flattened types, so this module has no such types.
//!
//! Credit limits the calls and events in flight. `hello` gives the node an initial credit. Each call and each event takes one credit. The
//! instance returns it with `credit` after it has answered the call, handled the event, or stopped the call because of `cancel`. A node without
//! credit sends no calls and events.
//!
//! An event from a queue has an `attempt`. It stays in the queue until the instance ends it with `done` or `failed`; `credit` does not end it.

use crate::json::{object, optional_object, or_default, present};
use crate::producer::Producer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Maximum number of bytes that a frame of the gateway adds to the data of a frontend: the user, the method, keys, the trace and so on, but not
/// forwarded headers.
pub const FRAME_OVERHEAD: usize = 4096;

/// A header of the response to the upgrade, with the name of the node. An instance that has a link to that node, through another address,
/// closes the new one without a `hello`, because a `hello` of the same instance replaces the earlier link.
pub const NODE_HEADER: &str = "switchboard-node";

/// The code of a [`CallError`] for a method that the service does not have. The frontend protocol defines this code.
pub const NO_SUCH_METHOD: u32 = 104;

/// A frame from a service instance to the gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToGateway {
    /// The first frame. It names the service and the instance.
    Hello(#[serde(deserialize_with = "object")] Hello),
    /// The answer to a call.
    Reply(#[serde(deserialize_with = "object")] Reply),
    /// The failure of a call.
    Error(#[serde(deserialize_with = "object")] CallError),
    /// A publication into a channel. The gateway answers with `ack` or `nack`.
    Publish(#[serde(deserialize_with = "object")] Publish),
    /// Allows the gateway to send more calls and events.
    Credit(#[serde(deserialize_with = "object")] Credit),
    /// An event from a queue was processed. The gateway deletes it.
    Done(#[serde(deserialize_with = "object")] Done),
    /// An event from a queue was not processed. The gateway delivers it again, or keeps it for an operator.
    Failed(#[serde(deserialize_with = "object")] Failed),
    /// The instance is shutting down and accepts no new calls.
    Drain(#[serde(deserialize_with = "object")] Drain),
}

/// A frame from the gateway to a service instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToService {
    /// The answer to `hello`.
    Welcome(Welcome),
    /// A frontend's call. The instance answers with `reply` or `error` and the same id.
    Call(Call),
    /// The gateway no longer waits for the answer, because the connection has ended or the deadline has passed.
    Cancel(Cancel),
    /// A message that gets no answer. The instance ends one from a queue with `done` or `failed`.
    Event(Event),
    /// A publication was stored. An ephemeral one was sent to the subscribers.
    Ack(Ack),
    /// A publication was refused or failed.
    Nack(Nack),
    /// The node is shutting down. The instance can still answer the calls in flight.
    Drain(Drain),
    /// The reason why the node closes the link. The close frame follows.
    Error(LinkError),
}

/// See [`ToGateway::Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Name of the service, the same as in the path of the link.
    pub service: String,
    /// Name of this instance, unique within the service.
    pub instance: String,
    /// The initial credit: maximum number of calls and events in flight.
    pub credit: u32,
    /// Names of the lifecycle events that the gateway should send.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

/// See [`ToService::Welcome`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// Name of the gateway node.
    pub node: String,
    /// Link addresses (`ws://…`) of the cluster's nodes, including this one.
    pub peers: Vec<String>,
    /// The limits of the link.
    pub limits: Limits,
}

/// See [`Welcome::limits`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    /// Largest frame in bytes.
    pub message_size: usize,
    /// Maximum number of unacknowledged publications.
    pub publishes_in_flight: u32,
    /// Heartbeat in seconds. The node sends a ping after one heartbeat without a frame, and closes the link after two.
    pub heartbeat: u32,
}

/// See [`ToService::Call`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// Unique on this link.
    pub id: u64,
    /// The part of the frontend's method after the service's name and the dot.
    pub method: String,
    /// Any JSON. The gateway does not interpret it.
    pub data: Box<RawValue>,
    /// The authenticated user, empty for anonymous.
    pub user: String,
    /// Id of the frontend's connection.
    pub connection: String,
    /// What a service keeps with the connection; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<RawValue>>,
    /// Time that is left for the answer, in milliseconds.
    pub deadline_ms: u64,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The gateway sends the calls with the same key one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Calls of the same user (of the same connection, if the user is anonymous) with the same key are one call. Carry it out once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What the route forwards of the frontend's request.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<FrontendRequest>>,
}

/// See [`ToService::Event`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// The id of a lifecycle event, or of any event from a queue. The gateway may send such an event twice, with the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `message` for a message of a frontend, `call` for a call that gets no reply of the service, or the name of a lifecycle event.
    pub kind: String,
    /// With `call`: the part of the frontend's method after the service's name and the dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// From a queue: 1 for the first delivery. It grows with each delivery that was refused, or not acknowledged in time, or lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// From a queue: the partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// From a queue: events with the same key are delivered one after the other. Absent: the event keeps no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With a lifecycle event: the generation of the connection's node or, with `occupied` and `vacated`, of the channel's occupation, a
    /// whole number that grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// With a lifecycle event: when the gateway noticed the change, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// Any JSON. The gateway does not interpret it.
    pub data: Box<RawValue>,
    /// The authenticated user, empty for anonymous and for an event about a channel.
    pub user: String,
    /// Id of the frontend's connection, empty for an event about a channel.
    pub connection: String,
    /// What a service keeps with the connection; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<RawValue>>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What the route forwards of the frontend's request.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<FrontendRequest>>,
}

/// Parts of the HTTP request or of the connect command with which a frontend opened its connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FrontendRequest {
    /// Headers of the HTTP request. Names are in lower case.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Headers of the connect command, whose values the page chooses. Names are in lower case.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub emulated_headers: BTreeMap<String, String>,
    /// The IP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// See [`ToGateway::Reply`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The call's id.
    pub id: u64,
    /// Any JSON. The gateway does not interpret it.
    pub data: Box<RawValue>,
    /// Replaces what is kept with the connection: JSON of at most 1 KiB, `null` for nothing. If absent, nothing changes.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<RawValue>>,
}

/// See [`ToGateway::Error`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallError {
    /// The call's id.
    pub id: u64,
    /// A code of the service from 400 to 999, or [`NO_SUCH_METHOD`]. Codes from 1000 on are the gateway's.
    pub code: u32,
    /// A text for the developer of the frontend.
    pub message: String,
    /// Whether the same call may succeed later.
    #[serde(default, deserialize_with = "or_default")]
    pub temporary: bool,
}

/// See [`ToGateway::Publish`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Unique on this link. The `ack` or `nack` contains it.
    pub id: u64,
    /// The channel.
    pub channel: String,
    /// Any JSON, `null` included. The gateway does not interpret it. A publication has exactly one of `data`, `text` and `data_base64`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// A text, where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes as base64 with padding (RFC 4648, section 4), where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Tags, which subscribers receive with the data. The tag `content-type` is the content type of `text` or `data_base64`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Not stored: only the current subscribers receive it, and it has no position.
    #[serde(default, deserialize_with = "or_default")]
    pub ephemeral: bool,
    /// Publications with the same key are stored once. A repeat gets the position of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The number that a producer gave to this publish. It excludes `idempotency_key` and `ephemeral`.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// See [`ToGateway::Credit`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// The number of further calls and events.
    pub n: u32,
}

/// See [`ToGateway::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The event's id.
    pub id: String,
}

/// See [`ToGateway::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The event's id.
    pub id: String,
    /// Whether the same event may succeed later. If not, it becomes a dead letter at once.
    pub temporary: bool,
    /// If it is temporary: how long to wait before the next delivery, in milliseconds. Absent: the gateway chooses a pause that grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// See [`ToService::Cancel`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Cancel {
    /// The call's id.
    pub id: u64,
}

/// See [`ToService::Ack`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ack {
    /// The publication's id on this link.
    pub id: u64,
    /// Empty if the publication has no position.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub epoch: String,
    /// Zero if the publication has no position.
    #[serde(default, deserialize_with = "or_default")]
    pub offset: u64,
}

/// See [`ToService::Nack`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nack {
    /// The publication's id on this link.
    pub id: u64,
    /// The error.
    pub error: LinkError,
}

/// An error of the gateway on a link. [`crate::errors`] defines the names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinkError {
    /// Name in the error table.
    pub code: String,
    /// The error and what to do about it.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// With `sequence_gap`: the number that the producer has to send next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// How long to wait before the next try, in milliseconds, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// See [`ToGateway::Drain`] and [`ToService::Drain`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Drain {}

#[cfg(test)]
mod tests;
