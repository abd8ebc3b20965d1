//! Commands for one master that wait for their turn, and what becomes of those that were sent. Sans-I/O.

use super::job::{Job, Resend, Uncertainty};
use crate::broker::redis::schema::scripts::{code_and_details, keys_of};
use redis::{Cmd, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Between attempts of commands that the server refuses for now.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Commands of one order that are sent together at most: if their answers are lost, each has to name all that are behind it.
const TOGETHER: usize = 128;

/// What a round of answers says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum After {
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
pub(crate) struct Round {
    pub(crate) after: After,
    /// Some slot is not where it was looked for.
    pub(crate) is_map_wrong: bool,
}

/// Jobs in the order in which they came.
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

    /// Those of what waits here.
    pub(crate) fn orders(&self) -> impl Iterator<Item = u64> + '_ {
        self.jobs.iter().filter_map(|job| job.command.order)
    }

    /// Whether the first one was refused for now.
    pub(crate) fn rests(&self) -> bool {
        self.jobs.front().is_some_and(|job| job.rests_until.is_some())
    }

    /// When the first one's time is over. All have the same time, so that is the first to be over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.jobs.front().map(|job| job.deadline)
    }

    /// Ends those whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, why: &str) {
        while let Some(job) = self.jobs.pop_front_if(|job| job.deadline <= now) {
            job.fail(why);
        }
    }

    /// Up to `most` jobs, to be sent in this order. One that nobody waits for, and that was not sent before, is left out; one that rests stays, and
    /// with it those of its order, those whose order is `busy` elsewhere, and those of which there are too many.
    pub(crate) fn take(&mut self, most: usize, now: Instant, busy: impl Fn(u64) -> bool) -> Vec<Job> {
        let (mut taken, mut stay, mut staying) = (Vec::new(), Vec::new(), HashSet::new());
        let mut together = Tally::new(most);
        while taken.len() < most
            && let Some(job) = self.jobs.pop_front()
        {
            let stays = |order| staying.contains(&order) || busy(order) || together.is_full(order);
            if job.rests_until.is_some_and(|until| until > now) || job.command.order.is_some_and(stays) {
                staying.extend(job.command.order);
                stay.push(job);
            } else if job.is_uncertain() || !job.answer.is_closed() {
                together.count(job.command.order);
                taken.push(job);
            }
        }
        self.put_back(stay);
        taken
    }

    // NL-2.4
    /// The connection broke before these were answered: what may be sent again comes ahead of everything newer. `data`: the identity of what the
    /// server had when the connection was made.
    pub(crate) fn unanswered(&mut self, sent: Vec<Job>, data: &Arc<str>) {
        for mut job in sent.into_iter().rev() {
            if job.doubt == Uncertainty::None {
                job.doubt = Uncertainty::Open(data.clone());
            }
            job.aside = None;
            match job.command.again {
                Resend::Never => job.fail(""),
                Resend::Safe | Resend::UntilDeadline => self.jobs.push_front(job),
            }
        }
        self.name_later();
    }

    // NL-2.6
    /// Each that may have been carried out learns of those behind it that may have been, too.
    fn name_later(&mut self) {
        let mut behind: HashMap<u64, Vec<Arc<str>>> = HashMap::new();
        for job in self.jobs.iter_mut().rev().filter(|job| job.is_uncertain()) {
            let (Some(order), Some(once)) = (job.command.order, job.once()) else { continue };
            let behind = behind.entry(order).or_default();
            job.later.extend(behind.iter().cloned());
            behind.push(once);
        }
    }

    // NL-2.13
    /// An earlier connection may go on to be heard: what it was sent may be carried out at any time.
    pub(crate) fn doubt_for_good(&mut self) {
        for job in self.jobs.iter_mut().filter(|job| job.is_uncertain()) {
            job.doubt = Uncertainty::Lasting;
        }
    }

    // NL-2.6
    /// Takes the answers to these. What the server surely did not carry out is sent again, unless something newer of the same order was
    /// carried out: then it has to fail, or it would come too late.
    pub(crate) fn answered(&mut self, sent: Vec<Job>, answers: Vec<Value>, now: Instant) -> Round {
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
                None if code == "OVERTAKEN" => job.overtaken(details.split(' ').next().unwrap_or_default()),
                _ => {
                    let why = sentence(code, details, &job.command.cmd);
                    job.fail(&why);
                }
            }
        }
        round
    }

    /// Ends everything.
    pub(crate) fn close(&mut self, why: &str) {
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

/// How many of each order are taken, where there may be too many.
struct Tally {
    of: HashMap<u64, usize>,
    is_needed: bool,
}

impl Tally {
    fn new(most: usize) -> Self {
        Self { of: HashMap::new(), is_needed: most > TOGETHER }
    }

    fn is_full(&self, order: u64) -> bool {
        self.of.get(&order).is_some_and(|count| *count >= TOGETHER)
    }

    fn count(&mut self, order: Option<u64>) {
        if let Some(order) = order.filter(|_| self.is_needed) {
            *self.of.entry(order).or_default() += 1;
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

// NL-2.11, NL-2.12
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
