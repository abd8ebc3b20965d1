//! The protocol that a connection speaks.

use crate::hub::Protocol;
use gateway_core::{
    model::Tick,
    protocol::{Command, centrifuge::Encoding, stomp::Framing},
    session::{PingForm, ServerSide},
    stomp::{StompConfig, StompStart, Translator},
};
use std::{collections::VecDeque, sync::Arc};

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
        token: Option<Box<str>>,
    },
}

/// The state of a connection's protocol.
pub(in crate::connection) enum Dialect {
    Centrifuge(Encoding),
    Stomp(Box<StompDialect>),
}

/// A STOMP connection.
pub(in crate::connection) struct StompDialect {
    pub(in crate::connection) translator: Translator,
    /// Commands that wait until the actions of the session before them are carried out.
    pub(in crate::connection) deferred: VecDeque<Command>,
    pub(in crate::connection) framing: Framing,
    /// Whether the commands in `deferred` are being carried out.
    pub(in crate::connection) is_running: bool,
}

impl ChosenProtocol {
    /// Whether commands come in requests of their own.
    pub(in crate::connection) fn is_posted(&self) -> bool {
        matches!(self, Self::Centrifuge { encoding, .. } if encoding.is_stream())
    }

    pub(in crate::connection) fn of_hub(&self) -> Protocol {
        match self {
            Self::Centrifuge { encoding, .. } => Protocol::Centrifuge(*encoding),
            Self::Stomp { .. } => Protocol::Stomp,
        }
    }

    /// How the gateway pings the client, and what server-side subscriptions are.
    pub(in crate::connection) fn session_forms(&self) -> (PingForm, ServerSide) {
        match self {
            Self::Centrifuge { ping_form, .. } => (*ping_form, ServerSide::Subscribes),
            Self::Stomp { .. } => (PingForm::ControlFrame, ServerSide::Permits),
        }
    }

    pub(in crate::connection) fn begin(self, stomp: &Arc<StompConfig>, now: Tick) -> Dialect {
        match self {
            Self::Centrifuge { encoding, .. } => Dialect::Centrifuge(encoding),
            Self::Stomp { framing, token } => Dialect::Stomp(Box::new(StompDialect {
                framing,
                translator: Translator::new(stomp.clone(), StompStart { framing, token, now }),
                deferred: VecDeque::new(),
                is_running: false,
            })),
        }
    }
}

impl Dialect {
    /// When the protocol needs the timer. The session has deadlines of its own.
    pub(in crate::connection) fn deadline(&self) -> Option<Tick> {
        match self {
            Self::Centrifuge(_) => None,
            Self::Stomp(stomp) => stomp.translator.deadline(),
        }
    }

    /// Whether a part of a frame arrived in complete messages.
    pub(in crate::connection) fn is_mid_frame(&self) -> bool {
        match self {
            Self::Centrifuge(_) => false,
            Self::Stomp(stomp) => stomp.translator.is_mid_frame(),
        }
    }

    /// Whether a frame that may come in several messages became complete since the last call.
    pub(in crate::connection) fn take_completed(&mut self) -> bool {
        match self {
            Self::Centrifuge(_) => false,
            Self::Stomp(stomp) => stomp.translator.take_completed(),
        }
    }

    /// Whether the protocol takes input.
    pub(in crate::connection) fn wants_input(&self) -> bool {
        match self {
            Self::Centrifuge(_) => true,
            Self::Stomp(stomp) => stomp.translator.wants_input(),
        }
    }
}
