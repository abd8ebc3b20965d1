//! What a session starts with, besides the settings.

use super::SessionConfig;
use crate::model::WallClock;
use std::time::Duration;

/// How the gateway pings a client, and how the client answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PingForm {
    /// With messages of the protocol.
    #[default]
    Message,
    /// With control frames of the WebSocket (RFC 6455, sections 5.5.2 and 5.5.3).
    ControlFrame,
    /// With messages of the protocol on a stream. The client does not answer: it would need a request for each answer.
    StreamMessage,
    /// With comments on an event stream, which the client does not see.
    StreamComment,
}

impl PingForm {
    /// Whether pings are messages of the protocol.
    pub(crate) fn is_message(self) -> bool {
        matches!(self, Self::Message | Self::StreamMessage)
    }

    /// Whether the client answers.
    pub(crate) fn has_pong(self) -> bool {
        matches!(self, Self::Message | Self::ControlFrame)
    }

    /// Time between two pings.
    pub(crate) fn interval(self, config: &SessionConfig) -> Duration {
        if self.has_pong() { config.ping_interval } else { config.stream_ping_interval }
    }
}

/// What the channels are for a connection that its token or a service subscribes to, and the personal channel of its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerSide {
    /// The connection is subscribed to them.
    #[default]
    Subscribes,
    /// The frontend may subscribe to them. The protocol has no server-side subscriptions.
    Permits,
}

/// The start of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionStart {
    /// The time of the start.
    pub clock: WallClock,
    /// When the first ping is due after the connect: a fraction (0 to 1) of the ping interval. A random fraction spreads the pings of many
    /// connections over time.
    pub first_ping: f32,
    /// How the gateway pings the client.
    pub ping_form: PingForm,
    /// What server-side subscriptions are.
    pub server_side: ServerSide,
}
