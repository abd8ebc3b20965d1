//! The frontend behind a call or an event.

use super::routes::forwarded::KeptRequest;
use gateway_core::model::{ConnectionId, UserId};

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
}

#[cfg(test)]
impl Caller {
    /// A caller on a connection of its own.
    pub(crate) fn of(user: &str) -> Self {
        let user = user.parse().expect("a valid user");
        Self { user, connection: ConnectionId::random(), traceparent: None, request: KeptRequest::default() }
    }
}
