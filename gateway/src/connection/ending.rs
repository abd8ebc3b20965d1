//! How a connection closes: politely where the peer reads, by force where it does not.

use super::Driver;
use crate::{
    hub::{Batch, Overflow},
    telemetry::{Closed, DropCause, OverflowPolicy, TransportEnd},
};
use gateway_core::{
    model::{Disconnect, Tick},
    protocol::websocket::{self, Violation},
};

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
    pub(super) deaf: bool,
}

impl Driver {
    /// Queues the close frame. The first call counts.
    pub(super) fn end(&mut self, cause: Cause, code: u16, reason: &str) {
        if self.ending.is_some() {
            return;
        }
        let mut close = Vec::new();
        websocket::encode::close(Some(code), reason, &mut close);
        self.finish(cause, code, close);
    }

    /// Answers the peer's close with one of the same code.
    pub(super) fn end_by_peer(&mut self, code: Option<u16>) {
        if let Some(ending) = &mut self.ending {
            ending.answered = true;
            return;
        }
        let mut close = Vec::new();
        websocket::encode::close(code, "", &mut close);
        self.finish(Cause::Peer, code.unwrap_or(0), close);
    }

    fn finish(&mut self, cause: Cause, code: u16, close: Vec<u8>) {
        let (now, outbox, metrics) = (self.now(), self.registered.outbox(), self.worker.hub.metrics());
        let close = Batch::new(close, self.worker.hub.budget());
        match cause {
            Cause::Slow(_) | Cause::Stuck => metrics.dropped(DropCause::ConnectionClosed, outbox.finish(now, close) as u64),
            _ => outbox.close(now, close),
        }
        if matches!(cause, Cause::Slow(_)) {
            metrics.overflowed(OverflowPolicy::Disconnect);
        }
        metrics.closed(cause.counted(code));
        self.running.clear();
        let (until, deaf) = (now.after(self.worker.limits.close_timeout), matches!(cause, Cause::Violation(_)));
        self.ending = Some(Box::new(Ending { until, answered: cause == Cause::Peer, deaf }));
    }

    /// The connection ends without a close, unless one is under way.
    pub(super) fn gone(&self, how: TransportEnd) {
        if self.ending.is_none() {
            self.worker.hub.metrics().closed(Closed::Transport(how));
        }
    }

    pub(super) fn end_slow(&mut self, cause: Cause) {
        self.end(cause, Disconnect::Slow.code(), Disconnect::Slow.reason());
    }
}

impl Cause {
    fn counted(self, code: u16) -> Closed {
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
