//! The targets of one service, their requests in flight, and the choice of the target for the next request. Takes the time as an argument.

use super::{
    super::{
        call_types::Choice,
        instances::{
            breaker::{self, Breaker, BreakerLimits, BreakerState, Role},
            instance::AbandonReason,
            latency::{Latencies, LatencySummary},
        },
    },
    answer::Health,
};
use crate::cluster::DrainAction;
use gateway_core::model::{ErrorCode, Refusal, Tick, rendezvous_score};
use smallvec::SmallVec;
use std::{collections::HashMap, sync::Arc, time::Duration};

#[cfg(test)]
mod tests;

/// Time after which the same remark about a target is logged again.
const REMARK_PAUSE: Duration = Duration::from_mins(10);
/// Limit of different remarks about a target in this time.
const REMARKS: usize = 16;

/// Identifies a request in flight, with all its tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(u64);

/// The position of a target in the settings.
pub(in crate::services) type TargetIndex = usize;

/// The targets to which the request was tried already.
pub(super) type Tried = SmallVec<[TargetIndex; 4]>;

/// One target, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSummary {
    /// Its URL without a query.
    pub url: Box<str>,
    /// Requests in flight.
    pub in_flight: usize,
    /// Whether an operator drains it. It gets no new requests.
    pub draining: bool,
    /// See [`BreakerState`].
    pub breaker: BreakerState,
    /// Its requests of the last minute; None without any.
    pub latency: Option<LatencySummary>,
}

struct Target {
    url: Box<str>,
    /// Identifies it among all targets of the service, on all nodes that have it, for calls with a key and orders to drain it.
    name: Box<str>,
    drained: bool,
    breaker: Breaker,
    in_flight: usize,
    latencies: Latencies,
    /// What was logged lately.
    remarks: Vec<(String, Tick)>,
}

impl Target {
    fn admits(&self, now: Tick) -> bool {
        !self.drained && self.breaker.admits(now)
    }
}

struct Pending {
    target: TargetIndex,
    /// The key for which the target was chosen.
    key: Option<Box<str>>,
    role: Role,
    /// Whether the result of its try is recorded.
    is_recorded: bool,
}

/// The targets of one service.
pub(in crate::services) struct Targets {
    service: Arc<str>,
    /// Limit of requests in flight.
    limit: usize,
    all: Vec<Target>,
    pending: HashMap<RequestId, Pending>,
    last: u64,
}

impl Targets {
    pub(super) fn new(service: Arc<str>, urls: impl IntoIterator<Item = Box<str>>, limit: usize, breaker: BreakerLimits) -> Self {
        let mut seen: HashMap<Box<str>, usize> = HashMap::new();
        let target = |url: Box<str>| Target {
            name: {
                // URLs that differ only in their queries are shown alike.
                let number = seen.entry(url.clone()).and_modify(|number| *number += 1).or_default();
                format!("{url} {number}").into()
            },
            url,
            drained: false,
            breaker: Breaker::new(breaker),
            in_flight: 0,
            latencies: Latencies::default(),
            remarks: Vec::new(),
        };
        Self { service, limit, all: urls.into_iter().map(target).collect(), pending: HashMap::new(), last: 0 }
    }

    /// Begins a request: chooses its first target.
    pub(in crate::services) fn begin(&mut self, choice: Choice<'_>, now: Tick) -> Result<(RequestId, TargetIndex), Refusal> {
        if self.pending.len() >= choice.share_of(self.limit) {
            let detail =
                format!("{} has {} requests in flight, which is the limit. Try again with a growing pause.", self.service, self.limit);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        }
        let key = match choice {
            Choice::OfKey(key) => Some(key.into()),
            _ => None,
        };
        let target = self.choose(key.as_deref(), &Tried::new(), now).ok_or_else(|| self.unavailable(now))?;
        self.last += 1;
        let request = RequestId(self.last);
        self.assign(request, target, key);
        Ok((request, target))
    }

    /// Chooses the target for another try, one that is not in `tried` if possible. `None` if the request has ended or no target may get it.
    pub(super) fn again(&mut self, request: RequestId, tried: &Tried, now: Tick) -> Option<TargetIndex> {
        let key = self.pending.get_mut(&request)?.key.take();
        let target = self.choose(key.as_deref(), tried, now)?;
        self.assign(request, target, key);
        Some(target)
    }

    /// Records how long the current try of a request took, with an answer or until its deadline.
    pub(super) fn record(&mut self, request: RequestId, took: Duration, now: Tick) {
        if let Some(pending) = self.pending.get(&request) {
            self.all[pending.target].latencies.record(took, now);
        }
    }

    /// Records the result of a try. The request stays in flight, without a target, if it will be tried again.
    pub(super) fn tried(&mut self, request: RequestId, health: Health, now: Tick) {
        let Some(pending) = self.pending.get_mut(&request) else { return };
        pending.is_recorded = true;
        let target = &mut self.all[pending.target];
        match health {
            Health::Answers | Health::Busy => target.breaker.answered(),
            Health::Fails | Health::Unreached => target.breaker.failed(now),
        }
    }

    /// Ends a request.
    pub(super) fn end(&mut self, request: RequestId) {
        if let Some(pending) = self.pending.remove(&request) {
            self.all[pending.target].in_flight -= 1;
        }
    }

    /// Ends a request for whose answer nobody waits any more.
    pub(in crate::services) fn abandon(&mut self, request: RequestId, why: AbandonReason, now: Tick) {
        let Some(pending) = self.pending.get(&request) else { return };
        let breaker = &mut self.all[pending.target].breaker;
        match why {
            _ if pending.is_recorded => {}
            AbandonReason::Deadline => breaker.failed(now),
            AbandonReason::Cancelled => breaker.abandoned(pending.role, now),
        }
        self.end(request);
    }

    /// The name of a target, which is the same on all nodes. None if there is no such target.
    pub(super) fn name(&self, target: TargetIndex) -> Option<Box<str>> {
        self.all.get(target).map(|target| target.name.clone())
    }

    /// Finds the target with this name, drains it by order of an operator, or ends that. Returns false if there is no such target.
    pub(super) fn drain(&mut self, name: &str, action: DrainAction) -> bool {
        let Some(target) = self.all.iter_mut().find(|target| &*target.name == name) else { return false };
        target.drained = match action {
            DrainAction::Find => target.drained,
            DrainAction::Drain => true,
            DrainAction::Undrain => false,
        };
        true
    }

    /// Whether this remark about a target should be logged: once in [`REMARK_PAUSE`], so that a lasting problem does not fill the log.
    pub(super) fn is_news(&mut self, target: TargetIndex, remark: &str, now: Tick) -> bool {
        let remarks = &mut self.all[target].remarks;
        remarks.retain(|(_, logged)| now < logged.after(REMARK_PAUSE));
        let is_news = remarks.len() < REMARKS && remarks.iter().all(|(other, _)| other != remark);
        if is_news {
            remarks.push((remark.to_owned(), now));
        }
        is_news
    }

    /// The URL of a target without a query.
    pub(super) fn url(&self, target: TargetIndex) -> &str {
        &self.all[target].url
    }

    pub(super) fn summary(&self, now: Tick) -> Vec<TargetSummary> {
        let each = |target: &Target| TargetSummary {
            url: target.url.clone(),
            in_flight: target.in_flight,
            draining: target.drained,
            breaker: target.breaker.state(now),
            latency: target.latencies.summary(now),
        };
        self.all.iter().map(each).collect()
    }

    fn assign(&mut self, request: RequestId, target: TargetIndex, key: Option<Box<str>>) {
        self.end(request);
        let chosen = &mut self.all[target];
        chosen.in_flight += 1;
        let role = chosen.breaker.begin();
        self.pending.insert(request, Pending { target, key, role, is_recorded: false });
    }

    /// Of the targets that admit requests: the one that all nodes choose for the key, or without a key the less busy of two random ones. Targets in
    /// `tried` are used only if there is no other.
    fn choose(&self, key: Option<&str>, tried: &Tried, now: Tick) -> Option<TargetIndex> {
        let mut able: SmallVec<[TargetIndex; 16]> = (0..self.all.len()).filter(|&at| self.all[at].admits(now)).collect();
        if able.iter().any(|at| !tried.contains(at)) {
            able.retain(|at| !tried.contains(at));
        }
        if let Some(key) = key {
            return able.into_iter().max_by_key(|&at| rendezvous_score(&self.all[at].name, key));
        }
        if able.is_empty() {
            return None;
        }
        let one = able[rand::random_range(0..able.len())];
        let other = able[rand::random_range(0..able.len())];
        let load = |at: TargetIndex| self.all[at].in_flight;
        Some(if load(other) < load(one) { other } else { one })
    }

    fn unavailable(&self, now: Tick) -> Refusal {
        let detail = format!("Every target of {} is draining, or failed too often recently.", self.service);
        breaker::unavailable(detail, self.all.iter().filter(|target| !target.drained).map(|target| &target.breaker), now)
    }
}
