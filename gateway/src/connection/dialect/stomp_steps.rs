//! Carries out the steps of a STOMP connection's translator.

use super::dialect::Dialect;
use crate::{
    connection::{close_cause::CloseCause, driver::Driver},
    hub::Batch,
    telemetry::{Count, DropCause},
};
use gateway_core::{
    model::{ChannelName, ClientInfo, Position, Tick},
    protocol::{
        Push, Reply,
        centrifuge::Payload,
        stomp::{Framing, sockjs},
    },
    stomp::{Step, Translator},
};
use std::sync::Arc;

impl Driver {
    /// Lets the translator of a STOMP connection handle something, and carries out its steps. Does nothing for other protocols.
    fn translate(&mut self, handle: impl FnOnce(&mut Translator, Tick, &mut Vec<Step>)) {
        let now = self.now();
        let Dialect::Stomp(stomp) = &mut self.dialect else { return };
        let mut steps = Vec::new();
        handle(&mut stomp.translator, now, &mut steps);
        for step in steps {
            self.carry_out(step);
        }
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Command(command) => {
                if let Dialect::Stomp(stomp) = &mut self.dialect {
                    stomp.deferred.push(command);
                }
            }
            Step::Send(bytes) => self.registration.outbox().push(self.now(), Batch::new(bytes, self.worker.hub.budget())),
            Step::Form(channel, form) => self.worker.hub.set_form(self.registration.key(), &channel, form),
            Step::GapUntold(subscriptions) => self.worker.hub.metrics().count(Count::StompGapsUntold, subscriptions as u64),
            Step::Undelivered => self.worker.hub.metrics().dropped(DropCause::NoQueue, 1),
            Step::ControlPing => self.ping(),
            Step::Close(code, reason) => self.close(CloseCause::Session, code, &reason),
        }
    }

    /// Opens the session of a SockJS client, which waits for it.
    pub(in crate::connection) fn open_sockjs(&mut self) {
        self.sockjs_message(sockjs::append_open);
    }

    /// A proxy between may not pass on control frames.
    pub(in crate::connection) fn beat_sockjs(&mut self) {
        self.sockjs_message(sockjs::append_heart_beat);
    }

    /// Tells a SockJS client why the connection closes, before the close frame.
    pub(in crate::connection) fn close_sockjs(&mut self, code: u16, reason: &str) {
        self.sockjs_message(|message| sockjs::append_close(code, reason, message));
    }

    fn sockjs_message(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        if let Dialect::Stomp(stomp) = &self.dialect
            && stomp.framing == Framing::SockJs
        {
            let mut message = Vec::new();
            append(&mut message);
            self.carry_out(Step::Send(message));
        }
    }

    pub(in crate::connection) fn stomp_message(&mut self, payload: Payload<'_>) {
        self.translate(|translator, now, steps| translator.message(now, payload, steps));
        self.run_deferred();
    }

    pub(in crate::connection) fn stomp_timer(&mut self) {
        // A client that is sending a large message is not silent. The time limit of a message applies to it.
        let reading = self.is_read() && self.incomplete_since.is_none();
        self.translate(|translator, now, steps| translator.timer(now, reading, steps));
        self.run_deferred();
    }

    pub(in crate::connection) fn stomp_pong(&mut self) {
        self.translate(|translator, now, _| translator.control_pong(now));
    }

    pub(in crate::connection) fn stomp_identified(&mut self, info: &Arc<ClientInfo>) {
        self.translate(|translator, _, _| translator.identified(info));
    }

    pub(in crate::connection) fn stomp_reply(&mut self, id: u32, reply: Reply) {
        self.translate(|translator, now, steps| translator.reply(now, id, reply, steps));
    }

    /// The connection left a channel, after it got everything up to this position.
    pub(in crate::connection) fn stomp_left(&mut self, channel: &ChannelName, at: Option<Position>) {
        self.translate(|translator, _, _| translator.left(channel, at));
    }

    pub(in crate::connection) fn stomp_push(&mut self, push: Push) {
        self.translate(|translator, now, steps| translator.push(now, push, steps));
    }

    /// Says why the session closes the connection, before its close frame.
    pub(in crate::connection) fn stomp_closing(&mut self, code: u16, reason: &str) {
        self.translate(|translator, now, steps| translator.closing(now, code, reason, steps));
    }
}
