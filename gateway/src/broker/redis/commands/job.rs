//! A command and its state in a lane.

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

/// A command for Redis.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) cmd: Cmd,
    pub(crate) to: Target,
    /// Commands with the same order are executed in the order in which they arrive, or not at all. All of them belong to one slot.
    pub(crate) order: Option<u64>,
    pub(crate) resend: Resend,
}

/// The master that executes a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The master that serves the slot of the command's first key.
    Key,
    /// A certain master, whatever slots it serves.
    Master(Master),
}

/// Whether a lane may send a command again after its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resend {
    /// Yes. It does no harm to execute the command twice.
    Safe,
    /// Yes, until the deadline. The last key of the command is an idempotency key. The lane appends the deadline by the server's clock as
    /// an argument. If later commands may have been executed, it also adds their idempotency keys after the last key.
    UntilDeadline,
    /// No. The server would execute the command twice.
    Never,
}

/// A command in a lane.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Value, BrokerError>>,
    pub(crate) uncertainty: Uncertainty,
    /// Idempotency keys of later commands of its order that may have been executed. This command must not be executed after one of them.
    pub(crate) later_keys: BTreeSet<Arc<str>>,
    /// The place of the command among all commands that the lane received.
    pub(crate) number: u64,
    /// The server that a redirection (`ASK`) named, while the slot is moving there.
    pub(crate) redirect: Option<Box<str>>,
    /// The command must not be sent before this time.
    pub(crate) paused_until: Option<Instant>,
}

/// Whether the server may have executed a command without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uncertainty {
    /// No.
    None,
    /// Maybe. While the server's data has this identity, an `OUTOFORDER` answer proves that the server did not execute it.
    WhileData(Arc<str>),
    /// Maybe. No later answer can prove that the server did not execute it.
    Permanent,
}

impl Job {
    pub(crate) fn new(command: Command, deadline: Instant, answer: oneshot::Sender<Result<Value, BrokerError>>) -> Self {
        Self {
            command,
            deadline,
            answer,
            uncertainty: Uncertainty::None,
            later_keys: BTreeSet::new(),
            number: 0,
            redirect: None,
            paused_until: None,
        }
    }

    pub(crate) fn slot(&self) -> Slot {
        Slot::of_command(&self.command.cmd)
    }

    /// The command with all arguments, as the lane sends it.
    pub(crate) fn cmd(&self, clock: &Clock) -> Cmd {
        let later = self.later_keys.iter().map(AsRef::as_ref);
        let mut cmd = if self.later_keys.is_empty() { self.command.cmd.clone() } else { with_keys(&self.command.cmd, later) };
        if self.command.resend == Resend::UntilDeadline {
            cmd.arg(clock.at(self.deadline));
        }
        cmd
    }

    /// The idempotency key of the command, if it has one.
    pub(crate) fn idempotency_key(&self) -> Option<Arc<str>> {
        let has_key = self.command.resend == Resend::UntilDeadline;
        has_key.then(|| keys_of(&self.command.cmd).pop()).flatten().map(Into::into)
    }

    pub(crate) fn is_uncertain(&self) -> bool {
        self.uncertainty != Uncertainty::None
    }

    pub(crate) fn end(self, result: Result<Value, BrokerError>) {
        // The caller may no longer wait for the answer.
        let _ = self.answer.send(result);
    }

    pub(crate) fn fail(self, problem: &str) {
        let error = if self.is_uncertain() { BrokerError::OutcomeUnknown } else { BrokerError::Unavailable(problem.into()) };
        self.end(Err(error));
    }

    /// Fails because the server refused the command with `OUTOFORDER`: a later command was executed before. `data` is the identity of the
    /// server's data.
    pub(crate) fn fail_out_of_order(mut self, data: &str) {
        if matches!(&self.uncertainty, Uncertainty::WhileData(since) if **since == *data) {
            self.uncertainty = Uncertainty::None;
        }
        self.fail("a later publication in the same channel was stored first: repeat the request");
    }
}
