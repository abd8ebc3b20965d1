//! What the handling of one input needs.

use super::{Step, StompConfig};
use crate::{
    model::{Position, Publication, Tick},
    protocol::{
        Command, Request,
        stomp::{Framing, MessageForm, MessageSubscription, MessageTemplate, ServerFrame, Version, append_heart_beat, append_server_frame},
    },
};

/// With this header a client says where it stopped, and a MESSAGE says where it is.
pub(super) const POSITION: &str = "x-position";

/// The time and the settings for one input, and the steps that it causes.
pub(super) struct Context<'a> {
    pub(super) now: Tick,
    pub(super) config: &'a StompConfig,
    pub(super) version: Version,
    pub(super) framing: Framing,
    pub(super) numbers: &'a mut Numbers,
    pub(super) steps: &'a mut Vec<Step>,
}

/// The last numbers that a connection has given out.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    command: u32,
    message: u32,
}

impl Numbers {
    /// An id for a MESSAGE that only this connection gets. Those of publications have another form.
    pub(super) fn message_id(&mut self) -> String {
        format!("c-{}", self.message_number())
    }

    fn message_number(&mut self) -> u64 {
        self.message = self.message.wrapping_add(1);
        self.message.into()
    }

    /// An id for a command: from 1 on.
    pub(super) fn command_id(&mut self) -> u32 {
        self.command = self.command.checked_add(1).unwrap_or(1);
        self.command
    }
}

impl Context<'_> {
    pub(super) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn command(&mut self, id: u32, request: Request) {
        self.step(Step::Command(Command { id, request }));
    }

    /// Sends a frame.
    pub(super) fn write(&mut self, frame: &ServerFrame<'_>) {
        let (framing, version) = (self.framing, self.version);
        self.send(|out| append_server_frame(framing, version, frame, out));
    }

    /// Sends a publication to the subscriptions of a form.
    pub(super) fn write_publication(&mut self, form: &MessageForm, publication: &Publication) {
        // The highest bit keeps the numbers of publications without a position apart from those that the node gives.
        let number = if publication.position.is_none() { self.numbers.message_number() | 1 << 63 } else { 0 };
        let template = MessageTemplate::new(self.version, self.framing, publication, number);
        self.send(|out| {
            form.append(&template, publication, out);
        });
    }

    /// Tells a subscription that publications before this position were lost.
    pub(super) fn write_gap(&mut self, subscription: &MessageSubscription, position: Option<Position>) {
        let MessageSubscription { id, destination, acks, .. } = subscription;
        let message_id = self.numbers.message_id();
        let position = position.map(written);
        let mut headers = vec![("x-gap", "true")];
        headers.extend(position.as_deref().map(|position| (POSITION, position)));
        let (acks, message_id) = (*acks, &*message_id);
        self.write(&ServerFrame::Message { subscription: id, destination, acks, message_id, headers: &headers, content: None });
    }

    /// Sends a heart-beat.
    pub(super) fn beat(&mut self) {
        let framing = self.framing;
        self.send(|out| append_heart_beat(framing, out));
    }

    /// Confirms a frame with this `receipt` header.
    pub(super) fn confirm(&mut self, receipt: Option<&str>) {
        self.confirm_at(receipt, None);
    }

    /// Confirms a SUBSCRIBE, which begins at this position.
    pub(super) fn confirm_at(&mut self, receipt: Option<&str>, position: Option<Position>) {
        if let Some(receipt_id) = receipt {
            let position = position.map(written);
            self.write(&ServerFrame::Receipt { receipt_id, position: position.as_deref() });
        }
    }

    /// Messages that follow each other without another step between share a step.
    fn send(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Step::Send(out)) = self.steps.last_mut() {
            return append(out);
        }
        let mut out = Vec::new();
        append(&mut out);
        if !out.is_empty() {
            self.steps.push(Step::Send(out));
        }
    }
}

/// A position as headers have it.
fn written(Position { epoch, offset }: Position) -> String {
    format!("{epoch}-{offset}")
}
