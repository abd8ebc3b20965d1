//! Carries out the steps of an event stream's translator.

use super::{deferred::Deferred, dialect::Dialect};
use crate::{
    connection::{close_cause::CloseCause, driver::Driver},
    hub::Batch,
    telemetry::DropCause,
};
use gateway_core::{
    event_source::{Decision, EventSourceStart, Step, Translator},
    model::{ChannelName, Position},
    protocol::{Push, Reply, event_stream::HEART_BEAT},
};
use std::mem;

/// An event stream.
pub(in crate::connection) struct EventSourceDialect {
    translator: Translator,
    pub(super) deferred: Deferred,
    progress: Progress,
}

/// How far a request is.
enum Progress {
    /// It is not decided. These channels may go live once it is accepted.
    Opening(Vec<ChannelName>),
    /// It is decided, and nobody has asked how.
    Decided(Decision),
    /// Whoever opens the stream knows the decision.
    Known,
}

impl EventSourceDialect {
    pub(super) fn begin(start: EventSourceStart) -> Self {
        let (mut steps, mut deferred) = (Vec::new(), Deferred::default());
        let translator = Translator::begin(start, &mut steps);
        for step in steps {
            if let Step::Command(command) = step {
                deferred.push(command);
            }
        }
        Self { translator, deferred, progress: Progress::Opening(Vec::new()) }
    }

    /// The decision about the request, once.
    pub(in crate::connection) fn take_decision(&mut self) -> Option<Decision> {
        match mem::replace(&mut self.progress, Progress::Known) {
            Progress::Decided(decision) => Some(decision),
            other => {
                self.progress = other;
                None
            }
        }
    }

    /// Keeps a channel from going live before the request is accepted. Returns whether it does.
    pub(in crate::connection) fn holds(&mut self, channel: &ChannelName) -> bool {
        let Progress::Opening(held) = &mut self.progress else { return false };
        held.push(channel.clone());
        true
    }
}

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
        let Dialect::EventSource(stream) = &mut self.dialect else { return };
        let is_accepted = decision == Decision::Accepted;
        if let Progress::Opening(held) = mem::replace(&mut stream.progress, Progress::Decided(decision))
            && is_accepted
        {
            held.into_iter().for_each(|channel| self.go_live(channel));
        }
    }

    /// Keeps the stream alive, once there is one.
    pub(in crate::connection) fn beat_stream(&mut self) {
        if let Dialect::EventSource(stream) = &self.dialect
            && !matches!(stream.progress, Progress::Opening(_))
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
            if let Some(channel) = translator.only_channel().cloned() {
                translator.left(&channel, hub.delivered_to(key, &channel));
            }
            translator.closing(code, reason, steps);
        });
    }
}
