//! Why a connection closes, and the state of a closing connection.

use crate::{
    hub::Overflow,
    services::End,
    telemetry::{Closed, TransportEnd},
};
use gateway_core::{model::Tick, protocol::websocket::Violation};

/// Why a connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseCause {
    /// The session, a service or a drain closes it.
    Session,
    /// The queued frames exceed a limit.
    Slow(Overflow),
    /// The oldest queued frame was not sent in time.
    WriteTimeout,
    /// The peer violated RFC 6455.
    Violation(Violation),
    /// A message was not complete in time.
    MessageTimeout,
    /// The budget of the worker for what clients have begun is spent.
    WorkBudget,
    /// The peer sent a close frame.
    PeerClosed,
}

/// The state of a connection that has queued its close frame.
#[derive(Debug)]
pub(super) struct Closing {
    /// Why, for services.
    pub(super) end: End,
    /// When the connection is cut if the peer has not answered.
    pub(super) deadline: Tick,
    /// Whether the peer's close frame has arrived, so that the connection may end.
    pub(super) peer_answered: bool,
    /// Whether all further input is discarded, even a close frame: input after a violation cannot be read, and a stream has none. Once the last
    /// bytes are written, the sending side of the socket is shut down without waiting for the peer's close frame.
    pub(super) discards_input: bool,
}

impl CloseCause {
    pub(super) fn metric(self, code: u16) -> Closed {
        Closed::Transport(match self {
            Self::Session | Self::Slow(_) => return Closed::with_code(code),
            Self::WriteTimeout => TransportEnd::WriteTimeout,
            Self::Violation(violation) => match violation.code() {
                1007 => TransportEnd::InvalidText,
                1009 => TransportEnd::TooLarge,
                _ => TransportEnd::ProtocolViolation,
            },
            Self::MessageTimeout => TransportEnd::MessageTimeout,
            Self::WorkBudget => TransportEnd::WorkBudget,
            Self::PeerClosed => TransportEnd::PeerClosed,
        })
    }
}
