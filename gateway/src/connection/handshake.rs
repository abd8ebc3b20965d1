//! What the upgrade decides about a connection.

use gateway_core::{model::ConnectionId, protocol::centrifuge::Codec, session::PingForm};

/// The result of the upgrade.
#[derive(Debug)]
pub struct Handshake {
    /// The id of the connection, which the response contains.
    pub id: ConnectionId,
    /// The encoding of all messages.
    pub codec: Codec,
    /// How the gateway pings the client.
    pub ping_form: PingForm,
    /// The `traceparent` of the request.
    pub traceparent: Option<Box<str>>,
}
