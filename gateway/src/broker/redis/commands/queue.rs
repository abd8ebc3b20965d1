//! The queue of one master: commands that wait, and the handling of answers. Sans-I/O.

use super::job::{Job, Resend, Uncertainty};
use crate::broker::redis::schema::scripts::{code_and_details, keys_of};
use redis::{Cmd, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Time between attempts of a command that the server refuses for now.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Maximum of commands of one order in a batch. If their answers are lost, each command must name all that followed it.
const MAX_PER_ORDER: usize = 128;

/// What to do with the connection after the answers to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum After {
    /// Continue.
    GoOn,
    /// Pause: the server executes no commands now.
    Pause,
    /// Load the scripts: the server has lost them.
    LoadScripts,
    /// Reconnect: the server is no longer a master.
    Reconnect,
}

/// The result of the answers to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) after: After,
    /// Whether a slot is at another master than the slot map says.
    pub(crate) is_map_wrong: bool,
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

    /// Whether the server refused the first command for now.
    pub(crate) fn is_paused(&self) -> bool {
        self.jobs.front().is_some_and(|job| job.paused_until.is_some())
    }

    /// The deadline of the first command. It is the earliest, because all commands have the same time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.jobs.front().map(|job| job.deadline)
    }

    /// Fails the commands whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant, problem: &str) {
        while let Some(job) = self.jobs.pop_front_if(|job| job.deadline <= now) {
            job.fail(problem);
        }
    }

    /// Takes up to `most` commands for a batch. Three kinds stay: paused ones with all later ones of their order, those whose order is `busy` elsewhere, and
    /// those beyond [`MAX_PER_ORDER`]. Drops a command without a receiver for its answer, unless it may have been executed.
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
    /// Puts back the commands of a broken connection, ahead of all newer ones, if they may be sent again. `data`: the identity of the server's data when the
    /// connection was made.
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
    /// Gives each uncertain command the idempotency keys of all later uncertain commands of its order.
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
    /// Records that the server may execute commands of an earlier connection at any time.
    pub(crate) fn make_uncertainty_permanent(&mut self) {
        for job in self.jobs.iter_mut().filter(|job| job.is_uncertain()) {
            job.uncertainty = Uncertainty::Permanent;
        }
    }

    // NL-2.6
    /// Handles the answers to a batch. A command that the server surely did not execute is sent again. If a later command of its order was executed, it
    /// fails instead, because it would run out of order.
    pub(crate) fn take_answers(&mut self, sent: Vec<Job>, answers: Vec<Value>, now: Instant) -> Round {
        let mut round = Round { after: After::GoOn, is_map_wrong: false };
        let mut executed = HashSet::new();
        for (mut job, answer) in sent.into_iter().zip(answers).rev() {
            let refusal = match answer {
                Value::ServerError(error) => error,
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
                        Retry::Connection(after) => round.after = round.after.max(after),
                        Retry::AfterPause => job.paused_until = Some(now + PAUSE),
                        Retry::Redirect => job.redirect = details.split(' ').nth(1).map(Into::into),
                    }
                    round.is_map_wrong |= matches!(code, "MOVED" | "ASK" | "CLUSTERDOWN" | "READONLY");
                    self.jobs.push_front(job);
                }
                None if code == "OUTOFORDER" => job.fail_out_of_order(details.split(' ').next().unwrap_or_default()),
                _ => {
                    let problem = problem(code, details, &job.command.cmd);
                    job.fail(&problem);
                }
            }
        }
        round
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

/// Counts commands of each order in a batch, if the batch may contain too many.
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

/// How to retry a command that the server refused for now.
enum Retry {
    /// The refusal concerns all commands of this connection.
    Connection(After),
    /// Retry only this command, after a pause; another master may serve the slot by then.
    AfterPause,
    /// Retry only this command, at the server that the refusal names.
    Redirect,
}

// NL-2.11, NL-2.12
/// How to retry, if the server refused a command for a temporary reason and changed nothing.
fn refused_for_now(code: &str) -> Option<Retry> {
    Some(match code {
        "NOSCRIPT" => Retry::Connection(After::LoadScripts),
        "READONLY" | "MASTERDOWN" => Retry::Connection(After::Reconnect),
        "LOADING" | "BUSY" | "NOREPLICAS" => Retry::Connection(After::Pause),
        "MOVED" | "TRYAGAIN" | "CLUSTERDOWN" => Retry::AfterPause,
        "ASK" => Retry::Redirect,
        _ => return None,
    })
}

fn problem(code: &str, details: &str, cmd: &Cmd) -> String {
    match code {
        "WRONGTYPE" => format!(
            "Redis contains another type than the gateway writes under one of the keys {}: does another program use redis.prefix?",
            keys_of(cmd).join(", ")
        ),
        code => format!("Redis refused: {code} {details}").trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests;
