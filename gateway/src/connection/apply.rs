//! Performs the actions of a session, in their order.

use super::{
    close_cause::CloseCause,
    dialect::Dialect,
    driver::Driver,
    operations::{Requester, RunningTask, TaskId},
};
use crate::{
    hub::{Batch, LiveStatus},
    services::End,
};
use gateway_core::{
    model::{ChannelName, Unsubscribe},
    protocol::Reply,
    session::Action,
};
use std::cell::RefCell;

thread_local! {
    /// A buffer for the payload of one message, reused by all connections of the thread.
    static PAYLOAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Capacity above which the buffer is freed after use, in bytes.
const MAX_KEPT_BYTES: usize = 64 * 1024;

impl Driver {
    pub(super) fn apply(&mut self, actions: &mut Vec<Action>) {
        let mut payload = PAYLOAD.take();
        for action in actions.drain(..) {
            match action {
                // A reply before it has closed the connection.
                Action::Start(..) | Action::GoLive(_) if self.closing.is_some() => {}
                Action::Reply(id, mut reply) => {
                    self.add_session_key(&mut reply);
                    if let Reply::Error(refusal) = &reply {
                        self.worker.hub.metrics().reply_error(refusal.code);
                    }
                    match self.dialect {
                        Dialect::Centrifuge(encoding, _) => encoding.codec().append_reply(id, &reply, &mut payload),
                        Dialect::Stomp(_) => self.stomp_reply(id, reply),
                        Dialect::EventSource(_) => self.stream_reply(id, reply),
                    }
                }
                Action::ControlPing => {
                    self.send(&mut payload);
                    self.ping();
                }
                Action::Push(push) => match self.dialect {
                    Dialect::Centrifuge(encoding, _) => encoding.codec().append_push(&push, &mut payload),
                    Dialect::Stomp(_) => self.stomp_push(push),
                    Dialect::EventSource(_) => self.stream_push(push),
                },
                Action::Start(id, op) => {
                    let requester = Requester {
                        worker: self.worker.clone(),
                        key: self.registration.key(),
                        connection: self.session.id(),
                        info: self.info.clone(),
                        traceparent: self.traceparent.clone(),
                        meta: self.meta.clone(),
                        request: self.request.clone(),
                    };
                    self.running.push(RunningTask::operation(id, op, requester));
                }
                Action::Cancel(id) => self.running.retain(|running| running.task != TaskId::Operation(id)),
                Action::Limited(limit) => self.worker.node.metrics.limited(limit),
                Action::SetMeta(meta) => self.meta = meta,
                Action::ReplaceToken(claims) => self.worker.hub.replace_claims(self.registration.key(), claims.as_deref()),
                Action::Register(info, claims) => {
                    self.worker.hub.identify(self.registration.key(), info.clone());
                    self.worker.hub.set_claims(self.registration.key(), claims.as_deref());
                    self.stomp_identified(&info);
                    self.info = Some(info);
                    self.on_identified();
                }
                Action::GoLive(channel) => {
                    self.send(&mut payload);
                    self.go_live(channel);
                }
                Action::Detach(channel, code) => self.leave(channel, code),
                Action::Close(code, reason) => {
                    self.send(&mut payload);
                    self.close(CloseCause::Session, code, &reason);
                }
            }
        }
        self.send(&mut payload);
        if payload.capacity() <= MAX_KEPT_BYTES {
            PAYLOAD.set(payload);
        }
    }

    /// Lets the connection get what is new in a channel, after what it missed. A stream whose request is not accepted gets it later.
    pub(super) fn go_live(&mut self, channel: ChannelName) {
        if let Dialect::EventSource(stream) = &mut self.dialect
            && stream.holds(&channel)
        {
            return;
        }
        match self.worker.hub.go_live(self.registration.key(), &channel) {
            LiveStatus::Live => self.on_live(channel),
            LiveStatus::Behind(after) => {
                let (worker, key, outbox) = (self.worker.clone(), self.registration.key(), self.registration.outbox().clone());
                self.running.push(RunningTask::catch_up(worker, key, outbox, channel, after));
            }
            LiveStatus::Detached => {}
        }
    }

    fn leave(&mut self, channel: ChannelName, code: Option<Unsubscribe>) {
        let left = self.worker.hub.leave(self.registration.key(), &channel);
        if left.is_some_and(|left| left.was_live) {
            self.report_unsubscribed(&channel, || code.map_or_else(by_client, |code| End::new(code.code(), code.reason())));
        }
        let delivered_to = left.and_then(|left| left.delivered_to);
        self.stomp_left(&channel, delivered_to);
        self.stream_left(&channel, delivered_to);
        let task = TaskId::CatchUp(channel);
        self.running.retain(|running| running.task != task);
    }

    /// A client whose commands come in requests of their own learns with which key, and to which process they belong.
    fn add_session_key(&self, reply: &mut Reply) {
        if let (Reply::Connect(connected), Some(posted)) = (reply, self.dialect.posted()) {
            connected.session = Some(posted.key());
            connected.node = self.worker.node.cluster.address();
        }
    }

    /// Queues the payload as one message.
    fn send(&mut self, payload: &mut Vec<u8>) {
        if let Dialect::Centrifuge(encoding, _) = self.dialect
            && !payload.is_empty()
        {
            self.registration.outbox().push(self.now(), Batch::new(encoding.frame(payload), self.worker.hub.budget()));
            payload.clear();
        }
    }
}

/// The client's own unsubscribe, with the code of the SDK.
fn by_client() -> End {
    End::new(0, "unsubscribe called")
}
