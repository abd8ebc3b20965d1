//! Carries out the steps of an event stream's translator.

use super::dialect::Dialect;
use crate::{
    connection::{close_cause::CloseCause, driver::Driver},
    hub::Batch,
    telemetry::DropCause,
};
use gateway_core::{
    event_source::{Decision, Step, Translator},
    model::{ChannelName, Position},
    protocol::{Push, Reply, event_stream::HEART_BEAT},
};

impl Driver {
    /// Lets the translator of an event stream handle something, and carries out its steps. Does nothing for other protocols.
    fn translate_stream(&mut self, handle: impl FnOnce(&mut Translator, &mut Vec<Step>)) {
        let Dialect::EventSource(stream) = &mut self.dialect else { return };
        let mut steps = Vec::new();
        handle(&mut stream.translator, &mut steps);
        for step in steps {
            self.carry_out_of_stream(step);
        }
    }

    fn carry_out_of_stream(&mut self, step: Step) {
        match step {
            Step::Command(command) => {
                if let Dialect::EventSource(stream) = &mut self.dialect {
                    stream.deferred.push(command);
                }
            }
            Step::Send(bytes) => self.registration.outbox().push(self.now(), Batch::new(bytes, self.worker.hub.budget())),
            Step::Decided(decision) => self.decided(decision),
            Step::Undelivered => self.worker.hub.metrics().dropped(DropCause::NoQueue, 1),
            Step::Close(code, reason) => self.close(CloseCause::Session, code, &reason),
        }
    }

    fn decided(&mut self, decision: Decision) {
        if let Dialect::EventSource(stream) = &mut self.dialect {
            stream.decide(decision).into_iter().for_each(|channel| self.go_live(channel));
        }
    }

    /// Keeps the stream alive, once there is one.
    pub(in crate::connection) fn beat_stream(&mut self) {
        if let Dialect::EventSource(stream) = &self.dialect
            && !stream.is_opening()
        {
            self.carry_out_of_stream(Step::Send(HEART_BEAT.to_vec()));
        }
    }

    pub(in crate::connection) fn stream_reply(&mut self, id: u32, reply: Reply) {
        self.translate_stream(|translator, steps| translator.reply(id, reply, steps));
    }

    pub(in crate::connection) fn stream_push(&mut self, push: Push) {
        self.translate_stream(|translator, steps| translator.push(push, steps));
    }

    /// The connection left a channel, after it got everything up to this position.
    pub(in crate::connection) fn stream_left(&mut self, channel: &ChannelName, at: Option<Position>) {
        self.translate_stream(|translator, _| translator.left(channel, at));
    }

    /// Says why the session closes the connection, if the client has to know.
    pub(in crate::connection) fn stream_closing(&mut self, code: u16, reason: &str) {
        let (hub, key) = (self.worker.hub.clone(), self.registration.key());
        self.translate_stream(|translator, steps| {
            // While the channel is being joined again, the translator knows better.
            if let Some(channel) = translator.only_channel().cloned()
                && let Some(at) = hub.delivered_to(key, &channel)
            {
                translator.left(&channel, Some(at));
            }
            translator.closing(code, reason, steps);
        });
    }
}
