//! Commands that wait for their turn, and what becomes of those that were sent. Sans-I/O.

use crate::broker::{BrokerError, redis::scripts::keys_of};
use redis::{Cmd, ServerError, Value};
use std::collections::{HashSet, VecDeque};
use tokio::{sync::oneshot, time::Instant};

/// A command.
#[derive(Debug)]
pub(in super::super) struct Command {
    pub(in super::super) cmd: Cmd,
    /// Commands with the same number are carried out in the order in which they came, or not at all.
    pub(in super::super) order: Option<u64>,
    pub(in super::super) again: Again,
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
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Value, BrokerError>>,
    /// Whether it may have been carried out, its answer being lost.
    pub(super) uncertain: bool,
}

impl Job {
    fn end(self, result: Result<Value, BrokerError>) {
        // Who does not wait any more needs no answer.
        let _ = self.answer.send(result);
    }

    fn fail(self, why: &str) {
        let error = if self.uncertain { BrokerError::OutcomeUnknown } else { BrokerError::Unavailable(why.into()) };
        self.end(Err(error));
    }
}

/// What a round of answers says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It works.
    GoOn,
    /// The server knows no scripts.
    LoadScripts,
    /// The server does not carry commands out now.
    Pause,
    /// The server is no master any more.
    Reconnect,
}

/// Jobs in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    jobs: VecDeque<Job>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// When the first one's time is over. All have the same time, so that is the first to be over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.jobs.front().map(|job| job.deadline)
    }

    /// Ends those whose time is over.
    pub(super) fn expire(&mut self, now: Instant, why: &str) {
        while let Some(job) = self.jobs.pop_front_if(|job| job.deadline <= now) {
            job.fail(why);
        }
    }

    /// Up to `most` jobs, to be sent in this order. One that nobody waits for, and that was not sent before, is left out.
    pub(super) fn take(&mut self, most: usize) -> Vec<Job> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(job) = self.jobs.pop_front()
        {
            if job.uncertain || !job.answer.is_closed() {
                taken.push(job);
            }
        }
        taken
    }

    /// The connection broke before these were answered: what may be sent again comes ahead of everything newer.
    pub(super) fn unanswered(&mut self, sent: Vec<Job>) {
        for mut job in sent.into_iter().rev() {
            job.uncertain = true;
            match job.command.again {
                Again::Never => job.fail(""),
                Again::Safe | Again::UntilDeadline => self.jobs.push_front(job),
            }
        }
    }

    /// Takes the answers to these. What the server surely did not carry out is sent again, unless something newer of the same order was
    /// carried out: then it has to fail, or it would come too late.
    pub(super) fn answered(&mut self, sent: Vec<Job>, answers: Vec<Value>) -> After {
        let mut after = After::GoOn;
        let mut overtaken = HashSet::new();
        for (job, answer) in sent.into_iter().zip(answers).rev() {
            let refusal = match answer {
                Value::ServerError(error) => error,
                value => {
                    overtaken.extend(job.command.order);
                    job.end(Ok(value));
                    continue;
                }
            };
            let late = job.command.order.is_some_and(|order| overtaken.contains(&order));
            match not_carried_out(&refusal) {
                Some(then) if !late => {
                    after = then;
                    self.jobs.push_front(job);
                }
                _ => {
                    let why = sentence(&refusal, &job.command.cmd);
                    job.fail(&why);
                }
            }
        }
        after
    }

    /// Ends everything.
    pub(super) fn close(&mut self, why: &str) {
        for job in self.jobs.drain(..) {
            job.fail(why);
        }
    }
}

/// Whether the server refused a command without touching anything, for a reason that passes.
fn not_carried_out(refusal: &ServerError) -> Option<After> {
    Some(match refusal.code() {
        "NOSCRIPT" => After::LoadScripts,
        "READONLY" | "MASTERDOWN" => After::Reconnect,
        "LOADING" | "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS" => After::Pause,
        _ => return None,
    })
}

fn sentence(refusal: &ServerError, cmd: &Cmd) -> String {
    match refusal.code() {
        "WRONGTYPE" => format!(
            "Redis holds another type than a gateway writes under one of {}: does another program use redis.prefix?",
            keys_of(cmd).join(", ")
        ),
        code => format!("Redis refused: {code} {}", refusal.details().unwrap_or_default()).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests;
