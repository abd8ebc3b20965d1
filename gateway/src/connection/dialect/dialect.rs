//! The protocol that a connection speaks.

use super::{deferred::Deferred, event_source::EventSourceDialect};
use crate::hub::{PostedSession, Protocol};
use gateway_core::{
    event_source::EventSourceStart,
    model::{Secret, Tick},
    protocol::{centrifuge::Encoding, stomp::Framing},
    session::{PingForm, ServerSide},
    stomp::{StompConfig, StompStart, Translator},
};
use std::sync::Arc;

/// The protocol that the request chose.
#[derive(Debug)]
pub enum ChosenProtocol {
    /// The Centrifuge protocol.
    Centrifuge {
        /// The encoding of all messages.
        encoding: Encoding,
        /// How the gateway pings the client.
        ping_form: PingForm,
    },
    /// STOMP.
    Stomp {
        /// How messages carry STOMP frames.
        framing: Framing,
        /// The connection token of the query or a cookie, if there is one.
        token: Option<Secret>,
    },
    /// An event stream of an EventSource.
    EventSource(Box<EventSourceStart>),
}

/// The state of a connection's protocol.
pub(in crate::connection) enum Dialect {
    /// With the session's key and commands, if those come in requests of their own.
    Centrifuge(Encoding, Option<Box<PostedSession>>),
    Stomp(Box<StompDialect>),
    EventSource(Box<EventSourceDialect>),
}

/// A STOMP connection.
pub(in crate::connection) struct StompDialect {
    pub(in crate::connection) translator: Translator,
    pub(super) deferred: Deferred,
    pub(in crate::connection) framing: Framing,
}

impl ChosenProtocol {
    /// Whether commands come in requests of their own.
    pub(in crate::connection) fn is_posted(&self) -> bool {
        matches!(self, Self::Centrifuge { encoding, .. } if encoding.is_stream())
    }

    pub(in crate::connection) fn of_hub(&self) -> Protocol {
        match self {
            Self::Centrifuge { encoding, .. } => Protocol::Centrifuge(*encoding),
            Self::Stomp { .. } | Self::EventSource(_) => Protocol::WithForm,
        }
    }

    /// How the gateway pings the client, and what server-side subscriptions are.
    pub(in crate::connection) fn session_forms(&self) -> (PingForm, ServerSide) {
        match self {
            Self::Centrifuge { ping_form, .. } => (*ping_form, ServerSide::Subscribes),
            Self::Stomp { .. } => (PingForm::ControlFrame, ServerSide::Permits),
            Self::EventSource(_) => (PingForm::StreamComment, ServerSide::Permits),
        }
    }

    /// `posted` is there if [`Self::is_posted`].
    pub(in crate::connection) fn begin(self, stomp: &Arc<StompConfig>, posted: Option<Box<PostedSession>>, now: Tick) -> Dialect {
        match self {
            Self::Centrifuge { encoding, .. } => Dialect::Centrifuge(encoding, posted),
            Self::Stomp { framing, token } => Dialect::Stomp(Box::new(StompDialect {
                framing,
                translator: Translator::new(stomp.clone(), StompStart { framing, token, now }),
                deferred: Deferred::default(),
            })),
            Self::EventSource(start) => Dialect::EventSource(Box::new(EventSourceDialect::begin(*start))),
        }
    }
}

impl Dialect {
    /// The session's key and commands, if those come in requests of their own.
    pub(in crate::connection) fn posted(&self) -> Option<&PostedSession> {
        if let Self::Centrifuge(_, posted) = self { posted.as_deref() } else { None }
    }

    /// The commands of the translator that wait.
    pub(super) fn deferred(&mut self) -> Option<&mut Deferred> {
        match self {
            Self::Centrifuge(..) => None,
            Self::Stomp(stomp) => Some(&mut stomp.deferred),
            Self::EventSource(stream) => Some(&mut stream.deferred),
        }
    }

    /// Whether an HTTP response carries the connection, so that the client cannot answer the last bytes.
    pub(in crate::connection) fn is_stream(&self) -> bool {
        match self {
            Self::Centrifuge(encoding, _) => encoding.is_stream(),
            Self::EventSource(_) => true,
            Self::Stomp(_) => false,
        }
    }

    /// When the protocol needs the timer. The session has deadlines of its own.
    pub(in crate::connection) fn deadline(&self) -> Option<Tick> {
        match self {
            Self::Centrifuge(..) | Self::EventSource(_) => None,
            Self::Stomp(stomp) => stomp.translator.deadline(),
        }
    }

    /// Whether a part of a frame arrived in complete messages.
    pub(in crate::connection) fn is_mid_frame(&self) -> bool {
        match self {
            Self::Centrifuge(..) | Self::EventSource(_) => false,
            Self::Stomp(stomp) => stomp.translator.is_mid_frame(),
        }
    }

    /// Memory used for incomplete frames, in bytes.
    pub(in crate::connection) fn buffered(&self) -> usize {
        match self {
            Self::Centrifuge(..) | Self::EventSource(_) => 0,
            Self::Stomp(stomp) => stomp.translator.buffered(),
        }
    }

    /// Whether a frame that may come in several messages became complete since the last call.
    pub(in crate::connection) fn take_completed(&mut self) -> bool {
        match self {
            Self::Centrifuge(..) | Self::EventSource(_) => false,
            Self::Stomp(stomp) => stomp.translator.take_completed(),
        }
    }

    /// Whether the protocol takes input.
    pub(in crate::connection) fn wants_input(&self) -> bool {
        match self {
            Self::Centrifuge(..) | Self::EventSource(_) => true,
            Self::Stomp(stomp) => stomp.translator.wants_input(),
        }
    }
}
