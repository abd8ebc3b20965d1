//! Answers of services that are valid for a limited time. The session asks again before they end.

use crate::{
    model::Tick,
    session::{OpId, context::Context},
};
use std::time::Duration;

/// Pause before a service that did not answer is asked again.
const RETRY: Duration = Duration::from_secs(5);
/// Pause before a question for which there was no room.
const NO_ROOM: Duration = Duration::from_secs(1);

/// An answer that is valid for a limited time, and the question to ask again.
#[derive(Debug)]
pub(crate) struct Renewal<Q> {
    pub(crate) question: Q,
    step: Step,
    /// When what the answer allows ends without another answer: its expiry plus a grace period.
    ends_at: Tick,
}

#[derive(Debug)]
enum Step {
    /// Ask at this time.
    AskAt(Tick),
    /// The question is on its way.
    Asked(OpId),
}

impl<Q> Renewal<Q> {
    /// An answer that is valid for this time from now. The question is due in its last fifth, at a moment that differs between connections.
    pub(crate) fn begin(cx: &Context<'_>, question: Q, valid: Duration) -> Self {
        let step = Step::AskAt(cx.now.after(ask_after(valid, cx.connection.spread())));
        Self { question, step, ends_at: cx.now.after(valid).after(cx.config.expiry_grace) }
    }

    pub(crate) fn deadline(&self) -> Tick {
        match self.step {
            Step::AskAt(at) => at.min(self.ends_at),
            Step::Asked(_) => self.ends_at,
        }
    }

    pub(crate) fn is_over(&self, now: Tick) -> bool {
        self.ends_at <= now
    }

    pub(crate) fn is_due(&self, now: Tick) -> bool {
        matches!(self.step, Step::AskAt(at) if at <= now)
    }

    /// Whether this operation is the question on its way.
    pub(crate) fn awaits(&self, op: OpId) -> bool {
        matches!(self.step, Step::Asked(asked) if asked == op)
    }

    pub(crate) fn asked(&mut self, op: OpId) {
        self.step = Step::Asked(op);
    }

    /// There was no room for the question.
    pub(crate) fn postpone(&mut self, now: Tick) {
        self.step = Step::AskAt(now.after(NO_ROOM));
    }

    /// The service did not answer.
    pub(crate) fn unanswered(&mut self, now: Tick) {
        self.step = Step::AskAt(now.after(RETRY));
    }
}

/// When to ask: four fifths of the time, and up to three quarters of the rest.
fn ask_after(valid: Duration, spread: u8) -> Duration {
    let fifth = valid / 5;
    4 * fifth + fifth * 3 / 4 / u32::from(u8::MAX) * u32::from(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_due_in_the_last_fifth() {
        let after = |spread| ask_after(Duration::from_secs(100), spread).as_secs();
        assert_eq!([after(0), after(128), after(255)], [80, 87, 94]);
        assert!(ask_after(Duration::MAX, u8::MAX) < Duration::MAX);
    }
}
