//! How a connection closes: with a close frame while the peer reads, and by cutting the socket if it does not.

use super::{
    close_cause::{CloseCause, Closing},
    dialect::Dialect,
    driver::Driver,
    operations::TaskId,
};
use crate::{
    hub::Batch,
    services::End,
    telemetry::{Closed, DropCause, OverflowPolicy, TransportEnd},
};
use futures_util::future::join_all;
use gateway_core::{
    model::Disconnect,
    protocol::{Push, event_stream::HEART_BEAT, websocket},
};
use std::mem;
use tokio::{task::spawn_local, time::timeout};

/// Stands for the code of a close frame without one (RFC 6455, section 7.4.1).
const NO_STATUS: u16 = 1005;

impl Driver {
    /// Queues the last bytes. Does nothing if the connection is already closing.
    pub(super) fn close(&mut self, cause: CloseCause, code: u16, reason: &str) {
        if self.closing.is_some() {
            return;
        }
        if matches!(cause, CloseCause::Session | CloseCause::Violation(_) | CloseCause::MessageTimeout | CloseCause::WorkBudget) {
            self.stomp_closing(code, reason);
            self.stream_closing(code, reason);
        }
        self.close_sockjs(code, reason);
        let last = self.last_bytes(code, reason);
        self.begin_close(cause, End::new(code, reason), last);
    }

    /// What the client gets as the last: a close frame, or on a stream a message that says the same.
    fn last_bytes(&self, code: u16, reason: &str) -> Vec<u8> {
        match self.dialect {
            Dialect::Centrifuge(encoding, _) if encoding.is_stream() => {
                let mut payload = Vec::new();
                encoding.codec().append_push(&Push::Disconnect { code, reason: reason.into() }, &mut payload);
                encoding.frame(&payload)
            }
            // What the client has to know was written before.
            Dialect::EventSource(_) => HEART_BEAT.to_vec(),
            Dialect::Centrifuge(..) | Dialect::Stomp(_) => {
                let mut close = Vec::new();
                websocket::encode::close(Some(code), reason, &mut close);
                close
            }
        }
    }

    /// Answers the peer's close frame with one of the same code.
    pub(super) fn close_by_peer(&mut self, code: Option<u16>) {
        if let Some(closing) = &mut self.closing {
            closing.peer_answered = true;
            return;
        }
        let mut close = Vec::new();
        websocket::encode::close(code, "", &mut close);
        self.begin_close(CloseCause::PeerClosed, End::new(code.unwrap_or(NO_STATUS), "closed by the client"), close);
    }

    fn begin_close(&mut self, cause: CloseCause, end: End, close: Vec<u8>) {
        let (now, outbox, metrics) = (self.now(), self.registration.outbox(), self.worker.hub.metrics());
        let close = Batch::new(close, self.worker.hub.budget());
        match cause {
            CloseCause::Slow(_) | CloseCause::WriteTimeout => {
                metrics.dropped(DropCause::ConnectionClosed, outbox.close_now(now, close) as u64);
            }
            _ => outbox.close(now, close),
        }
        if matches!(cause, CloseCause::Slow(_)) {
            metrics.overflowed(OverflowPolicy::Disconnect);
        }
        metrics.closed(cause.metric(end.code));
        self.end_operations(cause);
        let discards_input = self.dialect.is_stream() || matches!(cause, CloseCause::Violation(_) | CloseCause::WorkBudget);
        let deadline = now.after(self.worker.limits.close_timeout);
        self.closing = Some(Box::new(Closing { end, deadline, peer_answered: cause == CloseCause::PeerClosed, discards_input }));
    }

    /// Cancels the operations in flight. Those of a STOMP client that has closed go on: some clients close right behind their last frame.
    fn end_operations(&mut self, cause: CloseCause) {
        let running = mem::take(&mut self.running);
        if cause == CloseCause::PeerClosed && matches!(self.dialect, Dialect::Stomp(_)) {
            let operations = running.into_iter().filter(|it| matches!(it.task, TaskId::Operation(_))).map(|it| it.future);
            let (all, limit) = (join_all(operations), self.worker.limits.close_timeout);
            // Nobody is there to learn the outcomes.
            spawn_local(async move { drop(timeout(limit, all).await) });
        }
    }

    /// Counts the end of a connection that has sent no close frame.
    pub(super) fn count_end(&self, how: TransportEnd) {
        if self.closing.is_none() {
            self.worker.hub.metrics().closed(Closed::Transport(how));
        }
    }

    pub(super) fn close_slow(&mut self, cause: CloseCause) {
        self.close(cause, Disconnect::Slow.code(), Disconnect::Slow.reason());
    }
}
