//! Which channels this node needs from Redis, and which subscriptions Redis has confirmed. Sans-I/O: the listener executes its decisions.
//!
//! A channel is *subscribed* while its confirmation belongs to the current connection, and to the master that serves its slot now (its
//! *owner*). Callers wait until then. After a broken connection or a move of its slot, a channel must be checked for lost publications.

use super::subscribed_channel::{ExpectedDelivery, Stage, SubscribedChannel, SubscriptionNumber};
use crate::broker::{
    NameHasher,
    redis::{
        schema::{keys::slot, slot::Slot},
        servers::topology::{Master, Topology},
    },
};
use gateway_core::model::{ChannelName, Position, Tick, WorkerId, WorkerSet};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

// NL-3.1
/// The subscriptions of this node.
#[derive(Debug)]
pub(crate) struct SubscriptionTable {
    channels: HashMap<ChannelName, SubscribedChannel, NameHasher>,
    queues: BTreeMap<Master, MasterQueues>,
    topology: Arc<Topology>,
    unsubscribe_delay: Duration,
    /// Channels with an [`ExpectedDelivery`], in the order of their deadlines.
    expected: VecDeque<(Tick, ChannelName)>,
}

/// The pending changes for one master.
#[derive(Debug, Default)]
struct MasterQueues {
    /// Channels that may be in [`Stage::ToSubscribe`] or [`Stage::ToResubscribe`], in the order of the requests.
    to_subscribe: VecDeque<ChannelName>,
    /// Channels that may be in [`Stage::UnsubscribeLater`], in the order of the times at which their subscriptions end.
    to_unsubscribe: VecDeque<(Tick, ChannelName)>,
    /// Notified when a channel joins `to_subscribe`.
    changed: Arc<Notify>,
}

impl MasterQueues {
    fn push(&mut self, channel: ChannelName) {
        self.to_subscribe.push_back(channel);
        self.changed.notify_one();
    }
}

/// Time from the acknowledgement of a publication to the deadline of its delivery.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);

/// The answer to [`SubscriptionTable::add_worker`].
#[derive(Debug)]
pub(crate) enum Confirmation {
    /// The channel is subscribed.
    Confirmed,
    /// The channel is subscribed as soon as this resolves.
    Pending(oneshot::Receiver<()>),
}

impl SubscriptionTable {
    /// An empty table. `unsubscribe_delay`: time from the moment when the last worker leaves a channel to its unsubscribe.
    pub(crate) fn new(topology: Arc<Topology>, unsubscribe_delay: Duration) -> Self {
        Self { channels: HashMap::default(), queues: BTreeMap::new(), topology, unsubscribe_delay, expected: VecDeque::new() }
    }

    /// Number of channels that are subscribed or in transition.
    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Notified when [`Self::take_to_subscribe`] may have channels for this master.
    pub(crate) fn changes(&mut self, owner: Master) -> Arc<Notify> {
        self.queues.entry(owner).or_default().changed.clone()
    }

    // NL-3.2
    /// Adds a worker that needs a channel.
    pub(crate) fn add_worker(&mut self, channel: &ChannelName, worker: WorkerId, has_history: bool) -> Confirmation {
        let (queues, topology) = (&mut self.queues, &self.topology);
        let entry = self.channels.entry(channel.clone()).or_insert_with(|| {
            let owner = owner(topology, channel);
            if let Some(owner) = owner {
                queues.entry(owner).or_default().push(channel.clone());
            }
            SubscribedChannel::new(channel.clone(), owner, has_history)
        });
        entry.workers.insert(worker);
        entry.has_history = has_history;
        match entry.stage {
            // When the last worker left, the channel waited for a new subscription, and the listener has not sent the command yet.
            Stage::UnsubscribeLater(_) if entry.interrupted => {
                entry.stage = Stage::ToResubscribe;
                if let Some(owner) = entry.owner {
                    queues.entry(owner).or_default().push(channel.clone());
                }
            }
            Stage::UnsubscribeLater(_) => entry.stage = Stage::Subscribed,
            Stage::ToSubscribe | Stage::Subscribing | Stage::Subscribed | Stage::ToResubscribe | Stage::Unsubscribing => {}
        }
        match entry.stage {
            Stage::Subscribed => Confirmation::Confirmed,
            Stage::ToSubscribe | Stage::Subscribing | Stage::ToResubscribe | Stage::UnsubscribeLater(_) | Stage::Unsubscribing => {
                let (confirmed, wait) = oneshot::channel();
                entry.waiters.retain(|waiter| !waiter.is_closed());
                entry.waiters.push(confirmed);
                Confirmation::Pending(wait)
            }
        }
    }

    /// Removes a worker that no longer needs a channel.
    pub(crate) fn remove_worker(&mut self, channel: &ChannelName, worker: WorkerId, now: Tick) {
        let Some(entry) = self.channels.get_mut(channel) else { return };
        if !entry.workers.remove(worker) || !entry.workers.is_empty() {
            return;
        }
        match entry.stage {
            Stage::ToSubscribe => {
                self.channels.remove(channel);
            }
            Stage::Subscribed | Stage::ToResubscribe => self.unsubscribe_later(channel, now),
            // [`Self::subscribed`] or [`Self::unsubscribed`] decides when Redis answers.
            Stage::Subscribing | Stage::Unsubscribing | Stage::UnsubscribeLater(_) => {}
        }
    }

    fn unsubscribe_later(&mut self, channel: &ChannelName, now: Tick) {
        let until = now.after(self.unsubscribe_delay);
        if let Some(entry) = self.channels.get_mut(channel)
            && let Some(owner) = entry.owner
        {
            entry.stage = Stage::UnsubscribeLater(until);
            self.queues.entry(owner).or_default().to_unsubscribe.push_back((until, channel.clone()));
        }
    }

    /// The workers that need this channel.
    pub(crate) fn route(&self, channel: &str) -> Option<(&ChannelName, WorkerSet)> {
        self.channels.get(channel).filter(|entry| !entry.workers.is_empty()).map(|entry| (&entry.name, entry.workers))
    }

    /// The workers that get a message from this master. If the message is a stored publication, `at` is its position. Messages from any
    /// other master than the owner are ignored.
    pub(crate) fn deliver(&mut self, by: Master, channel: &str, at: Option<Position>) -> Option<(&ChannelName, WorkerSet)> {
        let entry = self.channels.get_mut(channel).filter(|entry| entry.owner == Some(by) && !entry.workers.is_empty())?;
        entry.delivered = at.or(entry.delivered);
        Some((&entry.name, entry.workers))
    }

    // NL-6.3
    /// Expects the delivery of an acknowledged publication, if the channel is subscribed.
    pub(crate) fn expect_delivery(&mut self, channel: &ChannelName, at: Position, now: Tick) {
        let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.is_audited()) else { return };
        if entry.has_delivered(at) {
            return;
        }
        if let Some(expected) = &mut entry.expected {
            expected.up_to = at;
        } else {
            let deadline = now.after(DELIVERY_TIMEOUT);
            entry.expected = Some(ExpectedDelivery { deadline, up_to: at, delivered: entry.delivered });
            self.expected.push_back((deadline, entry.name.clone()));
        }
    }

    /// Subscribes again to channels that delivered no publication until the deadline of an expected one. Returns their number.
    pub(crate) fn resubscribe_overdue(&mut self, now: Tick) -> usize {
        let mut silent = 0;
        while let Some((deadline, name)) = self.expected.pop_front_if(|(deadline, _)| *deadline <= now) {
            let Some(entry) = self.channels.get_mut(&name) else { continue };
            let Some(expected) = entry.expected.take_if(|expected| expected.deadline == deadline) else { continue };
            if !entry.is_audited() || entry.has_delivered(expected.up_to) {
                continue;
            }
            if entry.delivered == expected.delivered {
                silent += 1;
                self.resubscribe(&name);
            } else {
                // Some publications arrived, so the channel delivers, and the others get a new deadline.
                let deadline = now.after(DELIVERY_TIMEOUT);
                entry.expected = Some(ExpectedDelivery { deadline, delivered: entry.delivered, ..expected });
                self.expected.push_back((deadline, name));
            }
        }
        silent
    }

    /// Subscribes again to a channel whose deliveries are missing. After that, the channel is checked for lost publications.
    pub(crate) fn resubscribe(&mut self, channel: &ChannelName) {
        if let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.stage == Stage::Subscribed)
            && let Some(owner) = entry.owner
        {
            (entry.stage, entry.interrupted) = (Stage::ToResubscribe, true);
            self.queues.entry(owner).or_default().push(channel.clone());
        }
    }

    // NL-3.4
    /// Takes at most `most` channels to which the listener must subscribe at this master.
    pub(crate) fn take_to_subscribe(&mut self, at: Master, most: usize) -> Vec<ChannelName> {
        let mut names = Vec::new();
        let to_subscribe = &mut self.queues.entry(at).or_default().to_subscribe;
        while names.len() < most
            && let Some(name) = to_subscribe.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name)
                && entry.owner == Some(at)
                && matches!(entry.stage, Stage::ToSubscribe | Stage::ToResubscribe)
            {
                entry.stage = Stage::Subscribing;
                names.push(name);
            }
        }
        names
    }

    /// Records that the master confirmed these subscriptions. Returns the channels with a history that must be checked for lost
    /// publications.
    pub(crate) fn subscribed(&mut self, at: Master, names: &[ChannelName], now: Tick) -> Vec<ChannelName> {
        let mut resumed = Vec::new();
        for name in names {
            let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.is(at, Stage::Subscribing)) else { continue };
            entry.stage = Stage::Subscribed;
            entry.number.0 += 1;
            for waiter in entry.waiters.drain(..) {
                // The waiter may have been cancelled.
                let _ = waiter.send(());
            }
            if std::mem::take(&mut entry.interrupted) && entry.has_history {
                resumed.push(name.clone());
            }
            if entry.workers.is_empty() {
                self.unsubscribe_later(name, now);
            }
        }
        resumed
    }

    /// Records that the master did not confirm these subscriptions. The listener must try again.
    pub(crate) fn not_confirmed(&mut self, at: Master, names: &[ChannelName]) {
        for name in names {
            if let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.is(at, Stage::Subscribing)) {
                entry.stage = Stage::ToSubscribe;
                self.queues.entry(at).or_default().push(name.clone());
            }
        }
    }

    /// Takes at most `most` channels from which the listener must unsubscribe at this master.
    pub(crate) fn take_to_unsubscribe(&mut self, at: Master, most: usize, now: Tick) -> Vec<ChannelName> {
        let mut names = Vec::new();
        let to_unsubscribe = &mut self.queues.entry(at).or_default().to_unsubscribe;
        while names.len() < most
            && to_unsubscribe.front().is_some_and(|(until, _)| *until <= now)
            && let Some((until, name)) = to_unsubscribe.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name).filter(|entry| entry.is(at, Stage::UnsubscribeLater(until))) {
                entry.stage = Stage::Unsubscribing;
                names.push(name);
            }
        }
        names
    }

    /// Records that the master ended these subscriptions.
    pub(crate) fn unsubscribed(&mut self, at: Master, names: &[ChannelName]) {
        for name in names {
            let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.is(at, Stage::Unsubscribing)) else { continue };
            if entry.workers.is_empty() {
                self.channels.remove(name);
            } else {
                entry.stage = Stage::ToSubscribe;
                self.queues.entry(at).or_default().push(name.clone());
            }
        }
        if self.channels.capacity() > 4 * self.channels.len() + 1024 {
            self.channels.shrink_to_fit();
        }
    }

    // NL-3.5
    /// Records that the master ended a subscription by itself, because it no longer serves the slot. Returns whether the channel was
    /// subscribed there.
    pub(crate) fn ended(&mut self, at: Master, channel: &str) -> bool {
        let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.owner == Some(at) && entry.may_exist()) else { return false };
        let name = entry.name.clone();
        if entry.interrupt() {
            self.queues.entry(at).or_default().push(name);
        } else {
            self.channels.remove(&name);
        }
        true
    }

    // NL-3.3
    /// Records that the connection to this master broke. The listener must subscribe again to all channels that a worker needs.
    pub(crate) fn disconnected(&mut self, at: Master) {
        let MasterQueues { to_subscribe, to_unsubscribe, changed } = self.queues.entry(at).or_default();
        to_subscribe.clear();
        to_unsubscribe.clear();
        self.channels.retain(|name, entry| {
            if entry.owner != Some(at) {
                return true;
            }
            let needed = entry.interrupt();
            if needed {
                to_subscribe.push_back(name.clone());
            }
            needed
        });
        changed.notify_one();
    }

    // NL-3.4, NL-3.5
    /// Applies a new slot map. The listener must subscribe to each moved channel at its new owner.
    pub(crate) fn apply_topology(&mut self, topology: Arc<Topology>) {
        self.queues.retain(|master, _| topology.masters().contains(master));
        let queues = &mut self.queues;
        self.channels.retain(|name, entry| {
            let owner = owner(&topology, name);
            if entry.owner == owner {
                return true;
            }
            entry.owner = owner;
            let needed = entry.interrupt();
            if let Some(owner) = owner.filter(|_| needed) {
                queues.entry(owner).or_default().push(name.clone());
            }
            needed
        });
        self.topology = topology;
    }

    /// Subscribed channels with a history, each with the number of its subscription.
    pub(crate) fn with_history(&self) -> Vec<(ChannelName, SubscriptionNumber)> {
        self.channels.values().filter(|entry| entry.is_audited()).map(|entry| (entry.name.clone(), entry.number)).collect()
    }

    /// Subscribed channels with a history in these slots.
    pub(crate) fn with_history_in(&self, slots: &BTreeSet<Slot>) -> Vec<ChannelName> {
        let audited = self.channels.values().filter(|entry| entry.is_audited() && slots.contains(&slot(&entry.name)));
        audited.map(|entry| entry.name.clone()).collect()
    }

    /// Whether the channel still has the subscription `since`, without an interruption.
    pub(crate) fn is_unbroken(&self, channel: &ChannelName, since: SubscriptionNumber) -> bool {
        self.channels.get(channel).is_some_and(|entry| entry.stage == Stage::Subscribed && entry.number == since)
    }
}

fn owner(topology: &Topology, channel: &ChannelName) -> Option<Master> {
    topology.only().or_else(|| topology.owner(slot(channel)))
}

#[cfg(test)]
mod tests;
