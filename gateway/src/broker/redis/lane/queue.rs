//! Commands for one master that wait for their turn, and what becomes of those that were sent. Sans-I/O.

use super::job::{Again, Job};
use crate::broker::redis::scripts::{code_and_details, keys_of};
use redis::{Cmd, Value};
use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// Between attempts of commands that the server refuses for now.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// What a round of answers says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum After {
    /// It works.
    GoOn,
    /// The server does not carry commands out now.
    Pause,
    /// The server knows no scripts.
    LoadScripts,
    /// The server is no master any more.
    Reconnect,
}

/// What a round of answers says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) after: After,
    /// Some slot is not where it was looked for.
    pub(super) is_map_wrong: bool,
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

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> + '_ {
        self.jobs.drain(..)
    }

    /// Those of what waits here.
    pub(super) fn orders(&self) -> impl Iterator<Item = u64> + '_ {
        self.jobs.iter().filter_map(|job| job.command.order)
    }

    /// Whether the first one was refused for now.
    pub(super) fn rests(&self) -> bool {
        self.jobs.front().is_some_and(|job| job.rests_until.is_some())
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

    /// Up to `most` jobs, to be sent in this order. One that nobody waits for, and that was not sent before, is left out; one that rests stays, and
    /// with it those of its order, and those whose order is `busy` elsewhere.
    pub(super) fn take(&mut self, most: usize, now: Instant, busy: impl Fn(u64) -> bool) -> Vec<Job> {
        let (mut taken, mut stay, mut staying) = (Vec::new(), Vec::new(), HashSet::new());
        while taken.len() < most
            && let Some(job) = self.jobs.pop_front()
        {
            let stays = |order| staying.contains(&order) || busy(order);
            if job.rests_until.is_some_and(|until| until > now) || job.command.order.is_some_and(stays) {
                staying.extend(job.command.order);
                stay.push(job);
            } else if job.uncertain || !job.answer.is_closed() {
                taken.push(job);
            }
        }
        self.put_back(stay);
        taken
    }

    /// The connection broke before these were answered: what may be sent again comes ahead of everything newer.
    pub(super) fn unanswered(&mut self, sent: Vec<Job>) {
        for mut job in sent.into_iter().rev() {
            (job.uncertain, job.aside) = (true, None);
            match job.command.again {
                Again::Never => job.fail(""),
                Again::Safe | Again::UntilDeadline => self.jobs.push_front(job),
            }
        }
    }

    /// Takes the answers to these. What the server surely did not carry out is sent again, unless something newer of the same order was
    /// carried out: then it has to fail, or it would come too late.
    pub(super) fn answered(&mut self, sent: Vec<Job>, answers: Vec<Value>, now: Instant) -> Round {
        let mut round = Round { after: After::GoOn, is_map_wrong: false };
        let mut overtaken = HashSet::new();
        for (mut job, answer) in sent.into_iter().zip(answers).rev() {
            let refusal = match answer {
                Value::ServerError(error) => error,
                value => {
                    overtaken.extend(job.command.order);
                    job.end(Ok(value));
                    continue;
                }
            };
            let (code, details) = code_and_details(&refusal);
            let late = job.command.order.is_some_and(|order| overtaken.contains(&order));
            match not_carried_out(code) {
                Some(then) if !late => {
                    (job.aside, job.rests_until) = (None, None);
                    match then {
                        Then::Connection(after) => round.after = round.after.max(after),
                        Then::Rest => job.rests_until = Some(now + PAUSE),
                        Then::Aside => job.aside = details.split(' ').nth(1).map(Into::into),
                    }
                    round.is_map_wrong |= matches!(code, "MOVED" | "ASK" | "CLUSTERDOWN" | "READONLY");
                    self.jobs.push_front(job);
                }
                _ => {
                    let why = sentence(code, details, &job.command.cmd);
                    job.fail(&why);
                }
            }
        }
        round
    }

    /// Ends everything.
    pub(super) fn close(&mut self, why: &str) {
        for job in self.jobs.drain(..) {
            job.fail(why);
        }
    }

    fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
    }
}

/// What to do about a refusal that passes.
enum Then {
    /// It concerns everything on this connection.
    Connection(After),
    /// Only this command, which waits; another master may have the slot by then.
    Rest,
    /// Only this command, which another server carries out.
    Aside,
}

/// What to do if the server refused a command without touching anything, for a reason that passes.
fn not_carried_out(code: &str) -> Option<Then> {
    Some(match code {
        "NOSCRIPT" => Then::Connection(After::LoadScripts),
        "READONLY" | "MASTERDOWN" => Then::Connection(After::Reconnect),
        "LOADING" | "BUSY" | "NOREPLICAS" => Then::Connection(After::Pause),
        "MOVED" | "TRYAGAIN" | "CLUSTERDOWN" => Then::Rest,
        "ASK" => Then::Aside,
        _ => return None,
    })
}

fn sentence(code: &str, details: &str, cmd: &Cmd) -> String {
    match code {
        "WRONGTYPE" => format!(
            "Redis holds another type than a gateway writes under one of {}: does another program use redis.prefix?",
            keys_of(cmd).join(", ")
        ),
        code => format!("Redis refused: {code} {details}").trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests;
