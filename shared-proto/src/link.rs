//! Frames of the service link: the WebSocket that a service instance holds open to a gateway node.
//!
//! JSON text frames, externally tagged: `{"reply":{"id":7,"data":…}}`. Opaque data travels as [`RawValue`], which fails
//! at run time inside internally tagged, untagged and flattened types; so there are none here.
//!
//! Credit: `hello` says how many calls and events may be under way; each takes one credit, whatever becomes of it. The instance gives
//! it back with `credit` once it is done with it: answered, failed or stopped after `cancel`. A node without credit sends nothing.

use crate::json::{object, or_default};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Bytes that a frame of the gateway has beside what a frontend sent, at most: a call's user, connection, trace and so on.
pub const OVERHEAD: usize = 1024;

/// The code of a [`CallError`] for a method that the service does not have: the frontend protocol's own.
pub const NO_SUCH_METHOD: u32 = 104;

/// What a service instance sends to the gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToGateway {
    /// First frame: who is there.
    Hello(#[serde(deserialize_with = "object")] Hello),
    /// The answer to a call.
    Reply(#[serde(deserialize_with = "object")] Reply),
    /// The failure of a call.
    Error(#[serde(deserialize_with = "object")] CallError),
    /// A publication into a channel; answered by `ack` or `nack`.
    Publish(#[serde(deserialize_with = "object")] Publish),
    /// More calls and events may be sent.
    Credit(#[serde(deserialize_with = "object")] Credit),
    /// No new calls, please: this instance is about to leave.
    Drain(#[serde(deserialize_with = "object")] Drain),
}

/// What the gateway sends to a service instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToService {
    /// Answer to `hello`.
    Welcome(Welcome),
    /// A frontend's request; to be answered by `reply` or `error` with the same id.
    Call(Call),
    /// The frontend went away or the deadline passed: the answer is no longer wanted.
    Cancel(Cancel),
    /// A message without an answer.
    Event(Event),
    /// A publication was stored (or, ephemeral, announced).
    Ack(Ack),
    /// A publication was refused or failed.
    Nack(Nack),
    /// This node is about to leave; its calls in flight may still be answered.
    Drain(Drain),
    /// Why the node closes the link; the close frame follows.
    Error(LinkError),
}

/// See [`ToGateway::Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Name of the service, as in the path of the link.
    pub service: String,
    /// Name of this instance, unique within the service.
    pub instance: String,
    /// Calls and events that may be under way at first.
    pub credit: u32,
    /// Lifecycle events that are wanted.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

/// See [`ToService::Welcome`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// Name of the gateway node.
    pub node: String,
    /// Link addresses (`ws://…`) of the cluster's nodes, this one included.
    pub peers: Vec<String>,
    /// What this node accepts on the link.
    pub limits: Limits,
}

/// See [`Welcome::limits`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    /// Largest frame in bytes.
    pub message_size: usize,
    /// Publications that may be unacknowledged.
    pub publishes_in_flight: u32,
    /// Seconds of silence after which the node pings, and after two of which it closes the link.
    pub heartbeat: u32,
}

/// See [`ToService::Call`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// Unique on this link.
    pub id: u64,
    /// What follows the service's name in the frontend's method.
    pub method: String,
    /// Opaque to the gateway.
    pub data: Box<RawValue>,
    /// The authenticated user, empty for anonymous.
    pub user: String,
    /// The frontend's connection.
    pub connection: String,
    /// Milliseconds that are left for the answer.
    pub deadline_ms: u64,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Calls of the same key come one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
}

/// See [`ToService::Event`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Of `connected` and `disconnected`, which may come twice: the same for the same event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `message` for a frontend's message, else the name of a lifecycle event.
    pub kind: String,
    /// Opaque to the gateway.
    pub data: Box<RawValue>,
    /// The authenticated user, empty for anonymous.
    pub user: String,
    /// The frontend's connection.
    pub connection: String,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// See [`ToGateway::Reply`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The call's id.
    pub id: u64,
    /// Opaque to the gateway.
    pub data: Box<RawValue>,
}

/// See [`ToGateway::Error`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallError {
    /// The call's id.
    pub id: u64,
    /// The service's own code, 400 to 999 (1000 and above are the gateway's), or [`NO_SUCH_METHOD`].
    pub code: u32,
    /// For the frontend's developer.
    pub message: String,
    /// Whether the same call may succeed later.
    #[serde(default, deserialize_with = "or_default")]
    pub temporary: bool,
}

/// See [`ToGateway::Publish`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Unique on this link; named by the `ack` or `nack`.
    pub id: u64,
    /// Where to.
    pub channel: String,
    /// Opaque to the gateway.
    pub data: Box<RawValue>,
    /// Delivered along with the data.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Not stored, no position: only who is there now gets it.
    #[serde(default, deserialize_with = "or_default")]
    pub ephemeral: bool,
    /// The same key again is answered with the first position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// See [`ToGateway::Credit`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// How many more.
    pub n: u32,
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
    /// Empty where the publication has no position.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub epoch: String,
    /// Zero where the publication has no position.
    #[serde(default, deserialize_with = "or_default")]
    pub offset: u64,
}

/// See [`ToService::Nack`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nack {
    /// The publication's id on this link.
    pub id: u64,
    /// Why.
    pub error: LinkError,
}

/// An error as the link tells it; the names are those of [`crate::errors`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinkError {
    /// Name in the error table.
    pub code: String,
    /// What to do.
    pub message: String,
    /// Whether to send it again.
    pub retryable: bool,
}

/// See [`ToGateway::Drain`] and [`ToService::Drain`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Drain {}

#[cfg(test)]
mod tests;
