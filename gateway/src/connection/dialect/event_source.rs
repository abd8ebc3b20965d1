//! An event stream as the protocol of a connection.

use super::deferred::Deferred;
use gateway_core::{
    event_source::{Decision, EventSourceStart, Step, Translator},
    model::ChannelName,
};
use std::mem;

/// An event stream.
pub(in crate::connection) struct EventSourceDialect {
    pub(super) translator: Translator,
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

    /// It is decided. Returns the channels that may go live now.
    pub(super) fn decide(&mut self, decision: Decision) -> Vec<ChannelName> {
        let is_accepted = decision == Decision::Accepted;
        match mem::replace(&mut self.progress, Progress::Decided(decision)) {
            Progress::Opening(held) if is_accepted => held,
            _ => Vec::new(),
        }
    }

    /// Whether the request is not decided.
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.progress, Progress::Opening(_))
    }
}
