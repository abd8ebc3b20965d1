//! The instances of one service, their calls in flight, and the choice of the instance for the next call.

use super::{
    super::{
        call_types::{CallError, CallResult, Choice},
        lifecycle::{event::Lifecycle, kinds::Interests},
    },
    breaker::{self, Breaker, BreakerLimits, BreakerState},
    drained_names::DrainedNames,
    instance::{
        AbandonReason, CREDIT_MAX, CallId, CreditUse, Instance, InstanceSummary, LinkId, MANY, NewLink, Offered, Outgoing, Pending,
    },
    latency::Latencies,
};
use gateway_core::model::{ErrorCode, Refusal, Tick, rendezvous_score};
use shared_proto::link::{Call, Cancel, Event, ToService};
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;

#[cfg(test)]
mod tests;

/// The instances of one service. Takes the time as an argument.
pub(crate) struct Pool {
    service: Arc<str>,
    limits: PoolLimits,
    instances: Vec<Instance>,
    /// Breakers of instances that failed and have no link now.
    absent_breakers: HashMap<Arc<str>, Breaker>,
    /// Instances that an operator drains, with and without a link.
    drained: DrainedNames,
    /// All kinds of events that instances have wanted since the start.
    interests: Interests,
    last_link: u64,
}

/// Limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) instances: usize,
    pub(crate) in_flight: usize,
    pub(crate) breaker: BreakerLimits,
}

impl Pool {
    pub(crate) fn new(service: Arc<str>, limits: PoolLimits) -> Self {
        Self {
            service,
            limits,
            instances: Vec::new(),
            absent_breakers: HashMap::new(),
            drained: DrainedNames::new(2 * limits.instances),
            interests: Interests::default(),
            last_link: 0,
        }
    }

    /// Adds a link. It replaces an earlier link of the same instance.
    pub(crate) fn join(&mut self, new_link: NewLink, now: Tick) -> Result<LinkId, Refusal> {
        if let Some(earlier) = self.instances.iter().find(|i| i.name == new_link.instance).map(|i| i.link) {
            self.leave(earlier, &HashSet::new(), now);
        }
        if self.instances.len() >= self.limits.instances {
            let detail = format!("{} instances of {} have links to this node, which is the limit.", self.limits.instances, self.service);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        }
        self.last_link += 1;
        self.interests = self.interests.union(new_link.interests);
        let link = LinkId(self.last_link);
        let breaker = self.absent_breakers.remove(&new_link.instance).unwrap_or_else(|| Breaker::new(self.limits.breaker));
        let drained = self.drained.contains(&new_link.instance);
        self.instances.push(Instance {
            name: new_link.instance,
            link,
            queue: new_link.queue,
            replaced: new_link.replaced,
            credit: new_link.credit.min(CREDIT_MAX),
            reserve: new_link.credit.min(CREDIT_MAX) / 2,
            interests: new_link.interests,
            leaving: false,
            drained,
            breaker,
            pending: HashMap::new(),
            last_call: 0,
            latencies: Latencies::default(),
            in_hand: BTreeMap::new(),
            look_for_old: MANY,
        });
        Ok(link)
    }

    /// Removes a link. The calls in `unsent` were not written, so the instance did not get them.
    pub(crate) fn leave(&mut self, link: LinkId, unsent: &HashSet<u64>, now: Tick) {
        let Some(at) = self.instances.iter().position(|i| i.link == link) else { return };
        let mut instance = self.instances.swap_remove(at);
        instance.replaced.cancel();
        let mut lost = false;
        for (id, pending) in instance.pending.drain() {
            let refusal = if unsent.contains(&id) {
                instance.breaker.abandoned(pending.role, now);
                Refusal::new(ErrorCode::ServiceUnavailable, format!("{} lost its link before the call was sent. Try again.", self.service))
            } else {
                lost = true;
                let detail = format!("{} lost its link during the call. It may have carried the call out.", self.service);
                Refusal::new(ErrorCode::Timeout, detail)
            };
            let _ = pending.answer.send(Err(CallError::Refused(refusal)));
        }
        if lost {
            instance.breaker.failed(now);
        }
        self.absent_breakers.retain(|_, breaker| breaker.state(now) == BreakerState::Open);
        if !instance.breaker.has_no_failures() && self.absent_breakers.len() < self.limits.instances {
            self.absent_breakers.insert(instance.name, instance.breaker);
        }
    }

    /// Chooses an instance, sends it the call, and takes one of its credit.
    pub(crate) fn start(
        &mut self,
        choice: Choice<'_>,
        mut call: Call,
        answer: oneshot::Sender<CallResult>,
        now: Tick,
    ) -> Result<(CallId, Arc<str>), Refusal> {
        let chosen = self.choose(choice, now)?;
        let overloaded = self.overloaded();
        if self.instances.iter().map(|i| i.pending.len()).sum::<usize>() >= choice.share_of(self.limits.in_flight) {
            return Err(overloaded);
        }
        let instance = &mut self.instances[chosen];
        let Ok(place) = instance.queue.try_reserve() else { return Err(overloaded) };
        instance.last_call += 1;
        let id = instance.last_call;
        call.id = id;
        place.send(Outgoing::Frame(ToService::Call(call)));
        instance.credit -= 1;
        let role = instance.breaker.begin();
        instance.pending.insert(id, Pending { answer, role });
        Ok((CallId { link: instance.link, id }, Arc::clone(&instance.name)))
    }

    /// Sends an event.
    pub(crate) fn send(&mut self, event: Event, now: Tick) -> Result<(), Refusal> {
        let chosen = self.choose(Choice::LessBusy, now)?;
        let overloaded = self.overloaded();
        self.instances[chosen].push(CreditUse::All, || Outgoing::Frame(ToService::Event(event))).then_some(()).ok_or(overloaded)
    }

    /// Sends a lifecycle event to one of the interested instances, the same one for all events about its subject.
    pub(crate) fn offer(&mut self, event: &Lifecycle, credit_use: CreditUse) -> Offered {
        match self.interested(event) {
            None => Offered::NoInstance,
            Some(at) if self.instances[at].push(credit_use, || Outgoing::Lifecycle(event.clone())) => Offered::Sent,
            Some(_) => Offered::NoCredit,
        }
    }

    /// The instance that gets a lifecycle event. `None` if no interested instance is running.
    pub(crate) fn interested(&self, event: &Lifecycle) -> Option<usize> {
        let (interest, subject) = (Interests::only(event.kind()), event.subject());
        let interested = self.instances.iter().enumerate().filter(|(_, i)| i.interests.contains(interest) && !i.is_draining());
        interested.max_by_key(|(_, i)| rendezvous_score(&i.name, &subject)).map(|(at, _)| at)
    }

    /// Whether any instance has credit.
    pub(crate) fn has_credit(&self, credit_use: CreditUse) -> bool {
        self.instances.iter().any(|instance| !instance.is_draining() && instance.has_credit(credit_use))
    }

    /// Chooses an instance that has credit.
    fn choose(&self, choice: Choice<'_>, now: Tick) -> Result<usize, Refusal> {
        let admitted: SmallVec<[usize; 16]> =
            (0..self.instances.len()).filter(|&i| !self.instances[i].is_draining() && self.instances[i].breaker.admits(now)).collect();
        if admitted.is_empty() {
            return Err(self.unavailable(now));
        }
        let name = |&i: &usize| &*self.instances[i].name;
        let only = match choice {
            Choice::LessBusy | Choice::LeavingRoom => None,
            Choice::Same(same) => admitted.iter().copied().find(|i| name(i) == same),
            Choice::OfKey(key) => admitted.iter().copied().max_by_key(|i| rendezvous_score(name(i), key)),
        };
        // NL-8.1
        match only {
            Some(only) if self.instances[only].credit > 0 => Ok(only),
            Some(only) => Err(self.busy(only)),
            None => self.less_busy(&admitted, choice),
        }
    }

    /// The less busy of two random instances with credit.
    fn less_busy(&self, admitted: &[usize], choice: Choice<'_>) -> Result<usize, Refusal> {
        let keep = |i: &usize| if choice == Choice::LeavingRoom { self.instances[*i].reserve } else { 0 };
        let able: SmallVec<[usize; 16]> = admitted.iter().copied().filter(|i| self.instances[*i].credit > keep(i)).collect();
        if able.is_empty() {
            return Err(self.overloaded());
        }
        let one = able[rand::random_range(0..able.len())];
        let other = able[rand::random_range(0..able.len())];
        let load = |i: usize| self.instances[i].load();
        Ok(if load(other) < load(one) { other } else { one })
    }

    fn busy(&self, chosen: usize) -> Refusal {
        let (service, instance) = (&self.service, &self.instances[chosen].name);
        let detail =
            format!("The instance {instance} of {service}, which handles the calls of this key, is busy. Try again with a growing pause.");
        Refusal::new(ErrorCode::Overloaded, detail)
    }

    fn unavailable(&self, now: Tick) -> Refusal {
        let detail = if self.instances.is_empty() {
            format!("No instance of {} has a link to this node.", self.service)
        } else {
            format!("Every instance of {} is draining, or failed too often recently.", self.service)
        };
        let breakers = self.instances.iter().filter(|instance| !instance.is_draining()).map(|instance| &instance.breaker);
        breaker::unavailable(detail, breakers, now)
    }

    fn overloaded(&self) -> Refusal {
        Refusal::new(ErrorCode::Overloaded, format!("Every instance of {} is busy. Try again with a growing pause.", self.service))
    }

    /// Passes an answer to the caller. Returns `false` if the caller has stopped waiting.
    pub(crate) fn answer(&mut self, call: CallId, answer: CallResult) -> bool {
        let Some(instance) = self.instance(call.link) else { return false };
        // An unexpected answer does not prove that the instance works.
        let Some(pending) = instance.pending.remove(&call.id) else { return false };
        instance.breaker.answered();
        pending.answer.send(answer).is_ok()
    }

    /// Ends a call whose caller stopped waiting, and sends a cancel to the instance.
    pub(crate) fn abandon(&mut self, call: CallId, why: AbandonReason, now: Tick) {
        let Some(instance) = self.instance(call.link) else { return };
        let Some(pending) = instance.pending.remove(&call.id) else { return };
        match why {
            AbandonReason::Deadline => instance.breaker.failed(now),
            AbandonReason::Cancelled => instance.breaker.abandoned(pending.role, now),
        }
        // If the queue is full, the cancel is dropped and the instance finishes the call.
        let _ = instance.queue.try_send(Outgoing::Frame(ToService::Cancel(Cancel { id: call.id })));
    }

    /// Records how long a call took, with an answer or until its deadline.
    pub(crate) fn record(&mut self, call: CallId, took: Duration, now: Tick) {
        if let Some(instance) = self.instance(call.link) {
            instance.latencies.record(took, now);
        }
    }

    /// Adds credit.
    pub(crate) fn credit(&mut self, link: LinkId, more: u32) {
        if let Some(instance) = self.instance(link) {
            instance.credit = instance.credit.saturating_add(more).min(CREDIT_MAX);
        }
    }

    /// Marks an instance that announced that it will leave. It gets no new calls and events.
    pub(crate) fn drain(&mut self, link: LinkId) {
        if let Some(instance) = self.instance(link) {
            instance.leaving = true;
        }
    }

    /// Whether an instance has a link, or an operator drains it.
    pub(crate) fn has_instance(&self, name: &str) -> bool {
        self.drained.contains(name) || self.instances.iter().any(|i| &*i.name == name)
    }

    /// Drains an instance by order of an operator, also its later links; now it may have none. Returns the instance whose order had to be forgotten.
    pub(crate) fn drain_instance(&mut self, name: &str) -> Option<Arc<str>> {
        self.set_drained(name, true);
        let linked = self.instances.iter().map(|i| &*i.name).collect();
        self.drained.insert(name, &linked)
    }

    /// Uses an instance again that an operator drained. Returns false if it has no link and was not drained.
    pub(crate) fn undrain_instance(&mut self, name: &str) -> bool {
        let has_link = self.set_drained(name, false);
        self.drained.remove(name) || has_link
    }

    /// Returns whether the instance has a link.
    fn set_drained(&mut self, name: &str, drained: bool) -> bool {
        let linked = self.instances.iter_mut().find(|i| &*i.name == name);
        linked.map(|instance| instance.drained = drained).is_some()
    }

    /// Announces the shutdown of this node to every instance.
    pub(crate) fn send_drain(&self) {
        for instance in &self.instances {
            let _ = instance.queue.try_send(Outgoing::Frame(ToService::Drain(shared_proto::link::Drain {})));
        }
    }

    /// All kinds of events that instances have wanted since the start. An instance that left is expected to return.
    pub(crate) fn interests(&self) -> Interests {
        self.interests
    }

    pub(crate) fn summary(&self, now: Tick) -> Vec<InstanceSummary> {
        let mut all: Vec<_> = self.instances.iter().map(|i| i.summary(now)).collect();
        all.sort_by(|a, b| a.instance.cmp(&b.instance));
        all
    }

    pub(super) fn instance(&mut self, link: LinkId) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|i| i.link == link)
    }

    /// Chooses an instance for a delivery of a queue: one that leaves credit for calls.
    pub(super) fn choose_for_delivery(&mut self, now: Tick) -> Option<&mut Instance> {
        let chosen = self.choose(Choice::LeavingRoom, now).ok()?;
        Some(&mut self.instances[chosen])
    }

    /// Whether an instance is there that is not about to leave.
    pub(crate) fn is_present(&self) -> bool {
        self.instances.iter().any(|instance| !instance.is_draining())
    }
}
