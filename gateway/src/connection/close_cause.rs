//! Why a connection closes, and how far it has come with that.

use crate::{
    hub::Overflow,
    telemetry::{Closed, TransportEnd},
};
use gateway_core::{model::Tick, protocol::websocket::Violation};

/// What ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The session, a service or a drain.
    Session,
    /// What is queued is too much or too old.
    Slow(Overflow),
    /// The oldest queued byte is too old.
    Stuck,
    /// The peer broke RFC 6455.
    Violation(Violation),
    /// A message was not complete in time.
    Incomplete,
    /// The peer closed.
    Peer,
}

/// A connection whose last frame, a close, is queued.
#[derive(Debug)]
pub(super) struct Ending {
    /// The peer's time to take it and to answer.
    pub(super) until: Tick,
    /// The peer's close has come: nothing more is to be waited for.
    pub(super) answered: bool,
    /// After a violation nothing that the peer sends is understood, its close neither: our side of the socket ends at once.
    pub(super) discards_input: bool,
}

impl Cause {
    pub(super) fn counted(self, code: u16) -> Closed {
        Closed::Transport(match self {
            Self::Session | Self::Slow(_) => return Closed::with_code(code),
            Self::Stuck => TransportEnd::WriteTimeout,
            Self::Violation(violation) => match violation.code() {
                1007 => TransportEnd::InvalidText,
                1009 => TransportEnd::TooLarge,
                _ => TransportEnd::ProtocolViolation,
            },
            Self::Incomplete => TransportEnd::MessageTimeout,
            Self::Peer => TransportEnd::PeerClosed,
        })
    }
}
