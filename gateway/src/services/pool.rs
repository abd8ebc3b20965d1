//! The instances of one service: who is there, what each has under way, who gets the next call.

use super::{
    Answer, CallError,
    breaker::{Breaker, BreakerLimits, BreakerState, Role},
    lifecycle::Interests,
};
use gateway_core::model::{ErrorCode, Refusal, Tick, rendezvous_score};
use shared_proto::link::{Call, Cancel, Event, ToService};
use smallvec::SmallVec;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// One link among those of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId(u64);

/// What waits to be written to a link.
#[derive(Debug)]
pub(super) enum Queued {
    Frame(ToService),
    Ping,
    Pong(bytes::Bytes),
}

/// A link that said hello.
pub(super) struct Joining {
    pub(super) instance: Arc<str>,
    pub(super) credit: u32,
    pub(super) interests: Interests,
    pub(super) queue: mpsc::Sender<Queued>,
    /// Cancelled when another link of the same instance takes over.
    pub(super) replaced: CancellationToken,
}

/// Names a call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallId {
    pub(super) link: LinkId,
    pub(super) id: u64,
}

/// Why a caller no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// No answer came in time.
    Deadline,
    /// The caller went away.
    Cancelled,
}

/// Credit that an instance may hold, in all.
pub(super) const CREDIT_MAX: u32 = 1 << 16;

/// How much of its credit an instance is sent something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spend {
    /// All of it.
    All,
    /// What is above half of what it gave with `hello`: what comes in a crowd leaves room for calls.
    Spare,
}

/// What became of a lifecycle event at a service that asks for it, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An instance is sent it.
    Sent,
    /// The instance that should get it has no room.
    Full,
    /// None that asked for it is there.
    Away,
}

struct Pending {
    answer: oneshot::Sender<Answer>,
    role: Role,
}

struct Instance {
    name: Arc<str>,
    link: LinkId,
    queue: mpsc::Sender<Queued>,
    replaced: CancellationToken,
    credit: u32,
    /// Credit that it leaves to calls.
    reserve: u32,
    interests: Interests,
    draining: bool,
    breaker: Breaker,
    pending: HashMap<u64, Pending>,
    last_call: u64,
}

/// One instance as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSummary {
    /// Its name.
    pub instance: Arc<str>,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls and events that it may still be sent.
    pub credit: u32,
    /// Whether it said that it is about to leave.
    pub draining: bool,
    /// See [`BreakerState`].
    pub breaker: BreakerState,
}

/// The instances of one service. No time passes in here but what is told.
pub(super) struct Pool {
    service: Arc<str>,
    limits: PoolLimits,
    instances: Vec<Instance>,
    /// Breakers of instances that are away and failed before.
    away: HashMap<Arc<str>, Breaker>,
    /// What any instance has asked to hear since the start.
    wanted: Interests,
    last_link: u64,
}

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLimits {
    pub(super) instances: usize,
    pub(super) in_flight: usize,
    pub(super) breaker: BreakerLimits,
}

impl Pool {
    pub(super) fn new(service: Arc<str>, limits: PoolLimits) -> Self {
        Self { service, limits, instances: Vec::new(), away: HashMap::new(), wanted: Interests::default(), last_link: 0 }
    }

    /// Takes a link in; an earlier one of the same instance has to go.
    pub(super) fn join(&mut self, joining: Joining, now: Tick) -> Result<LinkId, Refusal> {
        if let Some(earlier) = self.instances.iter().find(|i| i.name == joining.instance).map(|i| i.link) {
            self.leave(earlier, &HashSet::new(), now);
        }
        if self.instances.len() >= self.limits.instances {
            let detail = format!("{} instances of {} hold links; no more are allowed here.", self.limits.instances, self.service);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        }
        self.last_link += 1;
        self.wanted = self.wanted.union(joining.interests);
        let link = LinkId(self.last_link);
        let breaker = self.away.remove(&joining.instance).unwrap_or_else(|| Breaker::new(self.limits.breaker));
        self.instances.push(Instance {
            name: joining.instance,
            link,
            queue: joining.queue,
            replaced: joining.replaced,
            credit: joining.credit.min(CREDIT_MAX),
            reserve: joining.credit.min(CREDIT_MAX) / 2,
            interests: joining.interests,
            draining: false,
            breaker,
            pending: HashMap::new(),
            last_call: 0,
        });
        Ok(link)
    }

    /// The link is lost. Of its calls, those in `unsent` surely did not reach the instance.
    pub(super) fn leave(&mut self, link: LinkId, unsent: &HashSet<u64>, now: Tick) {
        let Some(at) = self.instances.iter().position(|i| i.link == link) else { return };
        let mut instance = self.instances.swap_remove(at);
        instance.replaced.cancel();
        let mut lost = false;
        for (id, pending) in instance.pending.drain() {
            let refusal = if unsent.contains(&id) {
                instance.breaker.abandoned(pending.role, now);
                Refusal::new(ErrorCode::ServiceUnavailable, format!("{} lost its link before the call went out. Try again.", self.service))
            } else {
                lost = true;
                let detail = format!("{} lost its link during the call, which may or may not have been carried out.", self.service);
                Refusal::new(ErrorCode::Timeout, detail)
            };
            let _ = pending.answer.send(Err(CallError::Refused(refusal)));
        }
        if lost {
            instance.breaker.failed(now);
        }
        self.away.retain(|_, breaker| breaker.state(now) == BreakerState::Open);
        if !instance.breaker.is_pristine() && self.away.len() < self.limits.instances {
            self.away.insert(instance.name, instance.breaker);
        }
    }

    /// Sends a call to the instance that should get it, and takes one of its credit.
    pub(super) fn start(
        &mut self,
        prefer: Option<&str>,
        mut call: Call,
        answer: oneshot::Sender<Answer>,
        now: Tick,
    ) -> Result<(CallId, Arc<str>), Refusal> {
        let chosen = self.choose(prefer, now)?;
        let overloaded = self.overloaded();
        if self.instances.iter().map(|i| i.pending.len()).sum::<usize>() >= self.limits.in_flight {
            return Err(overloaded);
        }
        let instance = &mut self.instances[chosen];
        let Ok(place) = instance.queue.try_reserve() else { return Err(overloaded) };
        instance.last_call += 1;
        let id = instance.last_call;
        call.id = id;
        place.send(Queued::Frame(ToService::Call(call)));
        instance.credit -= 1;
        let role = instance.breaker.begin();
        instance.pending.insert(id, Pending { answer, role });
        Ok((CallId { link: instance.link, id }, Arc::clone(&instance.name)))
    }

    /// Sends an event, to `prefer` if that may take it.
    pub(super) fn send(&mut self, prefer: Option<&str>, event: Event, now: Tick) -> Result<(), Refusal> {
        let chosen = self.choose(prefer, now)?;
        let overloaded = self.overloaded();
        self.instances[chosen].push(Spend::All, || event).then_some(()).ok_or(overloaded)
    }

    /// Sends a lifecycle event to one of those that ask, the same for all events about `subject`. None: nobody has ever asked.
    pub(super) fn tell(&mut self, interest: Interests, subject: &str, spend: Spend, event: impl FnOnce() -> Event) -> Option<Heard> {
        if !self.wanted.contains(interest) {
            return None;
        }
        let asked = self.instances.iter().enumerate().filter(|(_, i)| i.interests.contains(interest) && !i.draining);
        let Some((at, _)) = asked.max_by_key(|(_, i)| rendezvous_score(&i.name, subject)) else { return Some(Heard::Away) };
        Some(if self.instances[at].push(spend, event) { Heard::Sent } else { Heard::Full })
    }

    /// Whose turn it is: the preferred instance, else the one with less under way of two picked at random among those with credit.
    fn choose(&self, prefer: Option<&str>, now: Tick) -> Result<usize, Refusal> {
        let admitted: SmallVec<[usize; 16]> =
            (0..self.instances.len()).filter(|&i| !self.instances[i].draining && self.instances[i].breaker.admits(now)).collect();
        if admitted.is_empty() {
            return Err(self.unavailable());
        }
        let able: SmallVec<[usize; 16]> = admitted.into_iter().filter(|&i| self.instances[i].credit > 0).collect();
        if able.is_empty() {
            return Err(self.overloaded());
        }
        if let Some(&same) = able.iter().find(|&&i| prefer == Some(&*self.instances[i].name)) {
            return Ok(same);
        }
        let one = able[rand::random_range(0..able.len())];
        let other = able[rand::random_range(0..able.len())];
        let load = |i: usize| self.instances[i].pending.len();
        Ok(if load(other) < load(one) { other } else { one })
    }

    fn unavailable(&self) -> Refusal {
        let detail = if self.instances.is_empty() {
            format!("No instance of {} holds a link to this node. Try again shortly.", self.service)
        } else {
            format!("Every instance of {} is leaving, or failed too often lately. Try again shortly.", self.service)
        };
        Refusal::new(ErrorCode::ServiceUnavailable, detail)
    }

    fn overloaded(&self) -> Refusal {
        Refusal::new(ErrorCode::Overloaded, format!("Every instance of {} is busy. Try again with a growing pause.", self.service))
    }

    /// An instance answered a call; false if nobody waits for it any more.
    pub(super) fn answer(&mut self, call: CallId, answer: Answer) -> bool {
        let Some(instance) = self.instance(call.link) else { return false };
        // Whatever else it says is no sign that it does its work.
        let Some(pending) = instance.pending.remove(&call.id) else { return false };
        instance.breaker.answered();
        pending.answer.send(answer).is_ok()
    }

    /// The caller waits no more; the instance is told.
    pub(super) fn give_up(&mut self, call: CallId, why: GivenUp, now: Tick) {
        let Some(instance) = self.instance(call.link) else { return };
        let Some(pending) = instance.pending.remove(&call.id) else { return };
        match why {
            GivenUp::Deadline => instance.breaker.failed(now),
            GivenUp::Cancelled => instance.breaker.abandoned(pending.role, now),
        }
        // Where the queue is full the instance works in vain, no more.
        let _ = instance.queue.try_send(Queued::Frame(ToService::Cancel(Cancel { id: call.id })));
    }

    /// More may be sent.
    pub(super) fn credit(&mut self, link: LinkId, more: u32) {
        if let Some(instance) = self.instance(link) {
            instance.credit = instance.credit.saturating_add(more).min(CREDIT_MAX);
        }
    }

    /// The instance is about to leave: nothing new for it.
    pub(super) fn drain(&mut self, link: LinkId) {
        if let Some(instance) = self.instance(link) {
            instance.draining = true;
        }
    }

    /// Tells every instance that this node is about to leave.
    pub(super) fn tell_drain(&self) {
        for instance in &self.instances {
            let _ = instance.queue.try_send(Queued::Frame(ToService::Drain(shared_proto::link::Drain {})));
        }
    }

    /// What any instance has asked to hear since the start: who is away for a moment will be back.
    pub(super) fn wanted(&self) -> Interests {
        self.wanted
    }

    pub(super) fn summary(&self, now: Tick) -> Vec<InstanceSummary> {
        let mut all: Vec<_> = self.instances.iter().map(|i| i.summary(now)).collect();
        all.sort_by(|a, b| a.instance.cmp(&b.instance));
        all
    }

    fn instance(&mut self, link: LinkId) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|i| i.link == link)
    }
}

impl Instance {
    fn push(&mut self, spend: Spend, event: impl FnOnce() -> Event) -> bool {
        let keep = if spend == Spend::Spare { self.reserve } else { 0 };
        let sent = self.credit > keep && self.queue.try_send(Queued::Frame(ToService::Event(event()))).is_ok();
        self.credit -= u32::from(sent);
        sent
    }

    fn summary(&self, now: Tick) -> InstanceSummary {
        InstanceSummary {
            instance: Arc::clone(&self.name),
            in_flight: self.pending.len(),
            credit: self.credit,
            draining: self.draining,
            breaker: self.breaker.state(now),
        }
    }
}
