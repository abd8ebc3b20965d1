//! Commands on their way.

use crate::broker::{
    BrokerError,
    redis::{
        schema::{
            clock::Clock,
            scripts::{keys_of, with_keys},
            slot::Slot,
        },
        servers::topology::Master,
    },
};
use redis::{Cmd, Value};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{sync::oneshot, time::Instant};

/// A command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) cmd: Cmd,
    pub(crate) to: Target,
    /// Commands with the same number are carried out in the order in which they came, or not at all. They are of the same slot.
    pub(crate) order: Option<u64>,
    pub(crate) again: Resend,
}

/// Who carries a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Who has its first key.
    Key,
    /// One of several masters, whatever it has.
    Master(Master),
}

/// Whether a command whose answer was lost may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resend {
    /// It changes nothing if it was carried out already.
    Safe,
    /// Its last key remembers that it was carried out. It takes one more argument, the time on the server's clock from which on it is refused; and
    /// further keys, of which there must be none.
    UntilDeadline,
    /// It would be carried out twice.
    Never,
}

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Value, BrokerError>>,
    pub(crate) doubt: Uncertainty,
    /// What later commands of its order, whose answers were lost with its own, are remembered by. It must not be carried out behind one of them.
    pub(crate) later: BTreeSet<Arc<str>>,
    /// Its place among all that came.
    pub(crate) number: u64,
    /// Who has to be asked next, if not the master of its slot: the slot is on the move there.
    pub(crate) aside: Option<Box<str>>,
    /// Not to be sent before.
    pub(crate) rests_until: Option<Instant>,
}

/// Whether it may have been carried out, its answer being lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uncertainty {
    /// It was not.
    None,
    /// As long as the server's data has this identity, it knows.
    Open(Arc<str>),
    /// Nobody knows for sure.
    Lasting,
}

impl Job {
    pub(crate) fn new(command: Command, deadline: Instant, answer: oneshot::Sender<Result<Value, BrokerError>>) -> Self {
        Self { command, deadline, answer, doubt: Uncertainty::None, later: BTreeSet::new(), number: 0, aside: None, rests_until: None }
    }

    pub(crate) fn slot(&self) -> Slot {
        Slot::of_command(&self.command.cmd)
    }

    /// What it is sent as.
    pub(crate) fn cmd(&self, clock: &Clock) -> Cmd {
        let later = self.later.iter().map(AsRef::as_ref);
        let mut cmd = if self.later.is_empty() { self.command.cmd.clone() } else { with_keys(&self.command.cmd, later) };
        if self.command.again == Resend::UntilDeadline {
            cmd.arg(clock.at(self.deadline));
        }
        cmd
    }

    /// What remembers that it was carried out, if anything does.
    pub(crate) fn once(&self) -> Option<Arc<str>> {
        let remembered = self.command.again == Resend::UntilDeadline;
        remembered.then(|| keys_of(&self.command.cmd).pop()).flatten().map(Into::into)
    }

    pub(crate) fn is_uncertain(&self) -> bool {
        self.doubt != Uncertainty::None
    }

    pub(crate) fn end(self, result: Result<Value, BrokerError>) {
        // Who does not wait any more needs no answer.
        let _ = self.answer.send(result);
    }

    pub(crate) fn fail(self, why: &str) {
        let error = if self.is_uncertain() { BrokerError::OutcomeUnknown } else { BrokerError::Unavailable(why.into()) };
        self.end(Err(error));
    }

    /// The server did not carry it out, as something later was. `data`: the identity of what it knows that from.
    pub(crate) fn overtaken(mut self, data: &str) {
        if matches!(&self.doubt, Uncertainty::Open(since) if **since == *data) {
            self.doubt = Uncertainty::None;
        }
        self.fail("something that came later was carried out already");
    }
}
