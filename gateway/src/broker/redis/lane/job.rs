//! Commands on their way.

use super::super::{slot::Slot, topology::Master};
use crate::broker::BrokerError;
use redis::{Cmd, Value};
use tokio::{sync::oneshot, time::Instant};

/// A command.
#[derive(Debug)]
pub(in super::super) struct Command {
    pub(in super::super) cmd: Cmd,
    pub(in super::super) to: To,
    /// Commands with the same number are carried out in the order in which they came, or not at all. They are of the same slot.
    pub(in super::super) order: Option<u64>,
    pub(in super::super) again: Again,
}

/// Who carries a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum To {
    /// Who has its first key.
    Key,
    /// One of several masters, whatever it has.
    Master(Master),
}

/// Whether a command whose answer was lost may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Again {
    /// It changes nothing if it was carried out already.
    Safe,
    /// The same; and it takes one more argument: the time on the server's clock from which on it is refused.
    UntilDeadline,
    /// It would be carried out twice.
    Never,
}

/// A command on its way.
#[derive(Debug)]
pub(in super::super) struct Job {
    pub(super) command: Command,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Value, BrokerError>>,
    /// Whether it may have been carried out, its answer being lost.
    pub(super) uncertain: bool,
    /// Its place among all that came.
    pub(super) number: u64,
    /// Who has to be asked next, if not the master of its slot: the slot is on the move there.
    pub(super) aside: Option<Box<str>>,
    /// Not to be sent before.
    pub(super) rests_until: Option<Instant>,
}

impl Job {
    pub(super) fn new(command: Command, deadline: Instant, answer: oneshot::Sender<Result<Value, BrokerError>>) -> Self {
        Self { command, deadline, answer, uncertain: false, number: 0, aside: None, rests_until: None }
    }

    pub(super) fn slot(&self) -> Slot {
        Slot::of_command(&self.command.cmd)
    }

    pub(super) fn end(self, result: Result<Value, BrokerError>) {
        // Who does not wait any more needs no answer.
        let _ = self.answer.send(result);
    }

    pub(super) fn fail(self, why: &str) {
        let error = if self.uncertain { BrokerError::OutcomeUnknown } else { BrokerError::Unavailable(why.into()) };
        self.end(Err(error));
    }
}
