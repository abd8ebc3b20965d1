//! The queue of one master: the commands that wait, and the handling of answers, including MOVED, ASK and other refusals of Redis.
//! Sans-I/O.

use super::job::{Job, Resend, Uncertainty};
use crate::broker::redis::schema::scripts::{code_and_details, keys_of};
use redis::{Cmd, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Pause before a refused command is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Largest number of commands of one order in a batch. If the answers to a batch are lost, each command must name all later commands of its
/// order.
const MAX_PER_ORDER: usize = 128;

/// What the lane does with the connection after the answers to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ConnectionAction {
    /// Continue with the next batch.
    Continue,
    /// Pause, because the server executes no commands now.
    Pause,
    /// Load the scripts, because the server has lost them.
    LoadScripts,
    /// Reconnect, because the server is no longer a master.
    Reconnect,
}

/// What follows from the answers to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchResult {
    pub(crate) action: ConnectionAction,
    /// Whether another master serves a slot than the slot map says.
    pub(crate) is_map_wrong: bool,
}

/// The answers to a batch, in its order.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) each: Vec<Value>,
    /// Whether as many replicas have the effects of the batch as the lane asks for.
    pub(crate) are_replicated: bool,
}

impl From<Vec<Value>> for Answers {
    /// The answers of a lane that asks for no replicas.
    fn from(each: Vec<Value>) -> Self {
        Self { each, are_replicated: true }
    }
}

/// Waiting commands, in the order in which they arrived.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: VecDeque<Job>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Job> + '_ {
        self.jobs.drain(..)
    }

    /// The orders of the waiting commands.
    pub(crate) fn orders(&self) -> impl Iterator<Item = u64> + '_ {
        self.jobs.iter().filter_map(|job| job.command.order)
    }

    /// Whether the first command waits because the server refused it for now.
    pub(crate) fn is_paused(&self) -> bool {
        self.jobs.front().is_some_and(|job| job.paused_until.is_some())
    }

    /// The deadline of the first command. It is the earliest deadline, because all commands have the same time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.jobs.front().map(|job| job.deadline)
    }

    /// Fails the commands whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant, problem: &str) {
        while let Some(job) = self.jobs.pop_front_if(|job| job.deadline <= now) {
            job.fail(problem);
        }
    }

    /// Takes at most `most` commands for a batch. These commands stay: paused ones and all later ones of their order, those of an order
    /// that is `busy` elsewhere, and those beyond [`MAX_PER_ORDER`]. Drops a command whose caller no longer waits for the answer, unless
    /// the server may have executed it.
    pub(crate) fn take(&mut self, most: usize, now: Instant, busy: impl Fn(u64) -> bool) -> Vec<Job> {
        let (mut taken, mut stay, mut staying) = (Vec::new(), Vec::new(), HashSet::new());
        let mut tally = Tally::new(most);
        while taken.len() < most
            && let Some(job) = self.jobs.pop_front()
        {
            let stays = |order| staying.contains(&order) || busy(order) || tally.is_full(order);
            if job.paused_until.is_some_and(|until| until > now) || job.command.order.is_some_and(stays) {
                staying.extend(job.command.order);
                stay.push(job);
            } else if job.is_uncertain() || !job.answer.is_closed() {
                tally.count(job.command.order);
                taken.push(job);
            }
        }
        self.put_back(stay);
        taken
    }

    // NL-2.4
    /// Puts back the commands of a broken connection that may be sent again, ahead of all newer ones. `data` is the identity of the
    /// server's data when the connection was made.
    pub(crate) fn requeue_unanswered(&mut self, sent: Vec<Job>, data: &Arc<str>) {
        for mut job in sent.into_iter().rev() {
            if job.uncertainty == Uncertainty::None {
                job.uncertainty = Uncertainty::WhileData(data.clone());
            }
            job.redirect = None;
            match job.command.resend {
                Resend::Never => job.fail(""),
                Resend::Safe | Resend::UntilDeadline => self.jobs.push_front(job),
            }
        }
        self.record_later_keys();
    }

    // NL-2.6
    /// Gives each uncertain command the idempotency keys of all later uncertain commands of its order. A command is uncertain if the server
    /// may have executed it.
    fn record_later_keys(&mut self) {
        let mut later: HashMap<u64, Vec<Arc<str>>> = HashMap::new();
        for job in self.jobs.iter_mut().rev().filter(|job| job.is_uncertain()) {
            let (Some(order), Some(key)) = (job.command.order, job.idempotency_key()) else { continue };
            let later = later.entry(order).or_default();
            job.later_keys.extend(later.iter().cloned());
            later.push(key);
        }
    }

    // NL-2.13
    /// Records that the server may still execute commands of an earlier connection, at any time.
    pub(crate) fn make_uncertainty_permanent(&mut self) {
        for job in self.jobs.iter_mut().filter(|job| job.is_uncertain()) {
            job.uncertainty = Uncertainty::Permanent;
        }
    }

    // NL-2.6
    /// Handles the answers to a batch. A command that the server refused for now is queued again, because the server did not execute it.
    /// But if a later command of its order was executed, it fails, because it must not run out of order. Commands that too few replicas have
    /// are queued again, too: their repeat finds that they were executed, and waits for the replicas again.
    pub(crate) fn take_answers(&mut self, sent: Vec<Job>, answers: impl Into<Answers>, now: Instant) -> BatchResult {
        let mut result = BatchResult { action: ConnectionAction::Continue, is_map_wrong: false };
        let mut executed = HashSet::new();
        let Answers { each, are_replicated } = answers.into();
        for (mut job, answer) in sent.into_iter().zip(each).rev() {
            let refusal = match answer {
                Value::ServerError(error) => error,
                _ if !are_replicated => {
                    executed.extend(job.command.order);
                    (job.uncertainty, job.redirect) = (Uncertainty::Permanent, None);
                    result.action = result.action.max(ConnectionAction::Pause);
                    self.jobs.push_front(job);
                    continue;
                }
                value => {
                    executed.extend(job.command.order);
                    job.end(Ok(value));
                    continue;
                }
            };
            let (code, details) = code_and_details(&refusal);
            let is_late = job.command.order.is_some_and(|order| executed.contains(&order));
            match refused_for_now(code) {
                Some(retry) if !is_late => {
                    (job.redirect, job.paused_until) = (None, None);
                    match retry {
                        Retry::Connection(action) => result.action = result.action.max(action),
                        Retry::AfterPause => job.paused_until = Some(now + PAUSE),
                        Retry::Redirect => job.redirect = details.split(' ').nth(1).map(Into::into),
                    }
                    result.is_map_wrong |= matches!(code, "MOVED" | "ASK" | "CLUSTERDOWN" | "READONLY");
                    self.jobs.push_front(job);
                }
                None if code == "OUTOFORDER" => job.fail_out_of_order(details.split(' ').next().unwrap_or_default()),
                _ => {
                    let problem = problem(code, details, &job.command.cmd);
                    job.fail(&problem);
                }
            }
        }
        if !are_replicated {
            self.record_later_keys();
        }
        result
    }

    /// Fails all commands.
    pub(crate) fn close(&mut self, problem: &str) {
        for job in self.jobs.drain(..) {
            job.fail(problem);
        }
    }

    fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
    }
}

/// Counts the commands of each order in a batch, if the batch is large enough to contain too many of one order.
struct Tally {
    counts: HashMap<u64, usize>,
    is_needed: bool,
}

impl Tally {
    fn new(most: usize) -> Self {
        Self { counts: HashMap::new(), is_needed: most > MAX_PER_ORDER }
    }

    fn is_full(&self, order: u64) -> bool {
        self.counts.get(&order).is_some_and(|count| *count >= MAX_PER_ORDER)
    }

    fn count(&mut self, order: Option<u64>) {
        if let Some(order) = order.filter(|_| self.is_needed) {
            *self.counts.entry(order).or_default() += 1;
        }
    }
}

/// How the lane retries a command that the server refused for now.
enum Retry {
    /// The refusal concerns all commands of this connection, so the lane acts on the connection.
    Connection(ConnectionAction),
    /// Retry this command alone, after a pause. Another master may serve the slot by then.
    AfterPause,
    /// Retry this command alone, at the server that the refusal names.
    Redirect,
}

// NL-2.11, NL-2.12
/// How to retry a command after a refusal with this code. None if the refusal is final. With any other refusal, the server has changed
/// nothing.
fn refused_for_now(code: &str) -> Option<Retry> {
    Some(match code {
        "NOSCRIPT" => Retry::Connection(ConnectionAction::LoadScripts),
        "READONLY" | "MASTERDOWN" => Retry::Connection(ConnectionAction::Reconnect),
        "LOADING" | "BUSY" | "NOREPLICAS" => Retry::Connection(ConnectionAction::Pause),
        "MOVED" | "TRYAGAIN" | "CLUSTERDOWN" => Retry::AfterPause,
        "ASK" => Retry::Redirect,
        _ => return None,
    })
}

fn problem(code: &str, details: &str, cmd: &Cmd) -> String {
    match code {
        "WRONGTYPE" => format!(
            "Redis has a value of the wrong type under one of the keys {}: does another program use redis.prefix?",
            keys_of(cmd).join(", ")
        ),
        code => format!("Redis refused: {code} {details}").trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests;
