//! How a connection closes: politely where the peer reads, by force where it does not.

use super::{
    close_cause::{Cause, Ending},
    driver::Driver,
};
use crate::{
    hub::Batch,
    telemetry::{Closed, DropCause, OverflowPolicy, TransportEnd},
};
use gateway_core::{model::Disconnect, protocol::websocket};

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
        let (until, discards_input) = (now.after(self.worker.limits.close_timeout), matches!(cause, Cause::Violation(_)));
        self.ending = Some(Box::new(Ending { until, answered: cause == Cause::Peer, discards_input }));
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
