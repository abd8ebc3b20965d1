//! Carries out what a session wants, in its order.

use super::{
    close_cause::Cause,
    driver::Driver,
    operations::{Requester, Running, Task},
};
use crate::{
    hub::{Batch, Live, frame},
    services::LifecycleKind,
};
use gateway_core::{
    model::ChannelName,
    protocol::{Reply, centrifuge},
    session::Action,
};
use std::cell::RefCell;

thread_local! {
    /// Lines of the message that is being put together.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that grew beyond this is not kept.
const KEEP: usize = 64 * 1024;

impl Driver {
    pub(super) fn apply(&mut self, actions: &mut Vec<Action>) {
        let mut lines = LINES.take();
        for action in actions.drain(..) {
            match action {
                Action::Reply(id, reply) => {
                    if let Reply::Error(refusal) = &reply {
                        self.worker.hub.metrics().reply_error(refusal.code);
                    }
                    line(&mut lines, |out| centrifuge::encode_reply(id, &reply, out));
                }
                Action::Push(push) => line(&mut lines, |out| centrifuge::encode_push(&push, out)),
                Action::Start(id, op) => {
                    let by = Requester {
                        worker: self.worker.clone(),
                        key: self.registered.key(),
                        info: self.info.clone(),
                        traceparent: self.traceparent.clone(),
                    };
                    self.running.push(Running::operation(id, op, by));
                }
                Action::Cancel(id) => self.running.retain(|running| running.task != Task::Operation(id)),
                Action::Identify(info) => {
                    self.worker.hub.identify(self.registered.key(), info.clone());
                    self.info = Some(info);
                    self.identified();
                }
                Action::GoLive(channel) => {
                    self.send(&mut lines);
                    self.report(LifecycleKind::Subscribed, Some(&channel));
                    if let Live::Behind(after) = self.worker.hub.go_live(self.registered.key(), &channel) {
                        let (worker, key, outbox) = (self.worker.clone(), self.registered.key(), self.registered.outbox().clone());
                        self.running.push(Running::catch_up(worker, key, outbox, channel, after));
                    }
                }
                Action::Leave(channel) => self.leave(channel),
                Action::Close(code, reason) => {
                    self.send(&mut lines);
                    self.end(Cause::Session, code, &reason);
                }
            }
        }
        self.send(&mut lines);
        if lines.capacity() <= KEEP {
            LINES.set(lines);
        }
    }

    fn leave(&mut self, channel: ChannelName) {
        if self.worker.hub.leave(self.registered.key(), &channel) {
            self.report(LifecycleKind::Unsubscribed, Some(&channel));
        }
        let task = Task::CatchUp(channel);
        self.running.retain(|running| running.task != task);
    }

    /// Queues the lines as one message.
    fn send(&mut self, lines: &mut Vec<u8>) {
        if !lines.is_empty() {
            self.registered.outbox().push(self.now(), Batch::new(frame(lines), self.worker.hub.budget()));
            lines.clear();
        }
    }
}

fn line(lines: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    if !lines.is_empty() {
        lines.push(b'\n');
    }
    encode(lines);
}
