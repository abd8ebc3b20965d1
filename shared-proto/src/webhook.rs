//! Bodies of the requests to a service that is reached by HTTP. `docs/webhooks.md` describes headers and answers.
//!
//! A body is an object with one member, whose name is the kind of the message: `{"call":{…}}`, `{"event":{…}}` or `{"events":[…]}`. `data`
//! is a [`RawValue`]. That type fails at run time inside internally tagged, untagged and flattened types, so this module has no such types.

use crate::{json::optional_object, link::FrontendRequest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A header of the answer to a call. It replaces what is kept with the connection: JSON of at most 1 KiB, `null` for nothing.
pub const META_HEADER: &str = "connection-meta";

/// The `kind` of a message of a frontend.
pub const MESSAGE: &str = "message";

/// The `kind` of a call that gets no reply of the service.
pub const CALL: &str = "call";

/// Stands for the method of lifecycle events.
pub const LIFECYCLE: &str = "lifecycle";

/// What the gateway sends to a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ServiceMessage))]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// A frontend's call. The answer is the reply.
    Call(Call),
    /// A message that gets no answer, or an event from a queue. An answer with a status from 200 to 299 acknowledges the latter.
    Event(Event),
    /// Lifecycle events, oldest first. Those of one connection and those of one channel are in order. An answer with a status from 200 to 299 takes
    /// all of them; otherwise the gateway sends them again.
    Events(Vec<Event>),
}

/// See [`Message::Call`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ServiceCall))]
pub struct Call {
    /// The same as the header `webhook-id`. It stays the same when the gateway sends the request again.
    pub id: String,
    /// The part of the frontend's method after the service's name and the dot.
    pub method: String,
    /// Any JSON. The gateway does not interpret it.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
    /// The authenticated user, empty for anonymous.
    pub user: String,
    /// Id of the frontend's connection.
    pub connection: String,
    /// What a service keeps with the connection; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub meta: Option<Box<RawValue>>,
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

/// See [`Message::Event`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ServiceEvent))]
pub struct Event {
    /// A message, or any event from a queue: the same as the header `webhook-id`. It stays the same when the gateway sends the event again.
    pub id: String,
    /// `message` for a message of a frontend, `call` for a call that gets no reply of the service, or the name of a lifecycle event.
    pub kind: String,
    /// With `call`: the part of the frontend's method after the service's name and the dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// From a queue: 1 for the first delivery. It grows with each delivery that was refused, or not acknowledged in time.
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
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
    /// The authenticated user, empty for anonymous and for an event about a channel.
    pub user: String,
    /// Id of the frontend's connection, empty for an event about a channel.
    pub connection: String,
    /// What a service keeps with the connection; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub meta: Option<Box<RawValue>>,
    /// What the route forwards of the frontend's request.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<FrontendRequest>>,
}
