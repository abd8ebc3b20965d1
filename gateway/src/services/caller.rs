//! The frontend behind a call or an event.

use super::routes::forwarded::KeptRequest;
use gateway_core::model::{ConnectionId, Meta, UserId};
use serde_json::value::RawValue;

/// The caller: a connection of a frontend.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user behind the connection.
    pub user: UserId,
    /// The connection.
    pub connection: ConnectionId,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// What services may get of its request.
    pub request: KeptRequest,
    /// What a service keeps with the connection.
    pub meta: Option<Meta>,
}

impl Caller {
    /// What a service keeps with the connection, for a message.
    pub(crate) fn meta(&self) -> Option<Box<RawValue>> {
        self.meta.as_ref().map(|meta| meta.raw().to_owned())
    }
}

#[cfg(test)]
impl Caller {
    /// A caller on a connection of its own.
    pub(crate) fn of(user: &str) -> Self {
        let user = user.parse().expect("a valid user");
        Self { user, connection: ConnectionId::random(), traceparent: None, request: KeptRequest::default(), meta: None }
    }
}
