//! What the upgrade decides about a connection.

use gateway_core::{protocol::centrifuge::Codec, session::PingForm};

/// The result of the upgrade.
#[derive(Debug)]
pub struct Handshake {
    /// The encoding of all messages.
    pub codec: Codec,
    /// How the gateway pings the client.
    pub ping_form: PingForm,
    /// The `traceparent` of the request.
    pub traceparent: Option<Box<str>>,
}
