//! What this node is subscribed to, for all who have a part in it: the workers that ask, the connection that delivers, the listener that tells Redis.

use super::subscription_table::{Incarnation, SubscriptionTable, Wanted};
use crate::broker::{
    BrokerError, Check, Delivery, Mailbox, Post,
    redis::{
        schema::{codec, counters::Counters, keys::Keys, slot::Slot},
        servers::topology::{Master, Topology},
    },
};
use gateway_core::model::{ChannelName, Position, Tick, WorkerId, lock};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// See the module.
pub(crate) struct Subscriptions {
    table: Mutex<SubscriptionTable>,
    mailboxes: Vec<Arc<Mailbox>>,
    keys: Keys,
    counters: Arc<Counters>,
    start: Instant,
}

impl Subscriptions {
    pub(crate) fn new(mailboxes: Vec<Arc<Mailbox>>, keys: Keys, map: Arc<Topology>, linger: Duration, counters: Arc<Counters>) -> Self {
        Self { table: Mutex::new(SubscriptionTable::new(map, linger)), mailboxes, keys, counters, start: Instant::now() }
    }

    /// Resolves when everything from now on will be delivered.
    pub(crate) async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, kept: bool) -> Result<(), BrokerError> {
        let wanted = lock(&self.table).want(channel, worker, kept);
        match wanted {
            Wanted::Subscribed => Ok(()),
            Wanted::Wait(confirmed) => confirmed.await.map_err(|_| BrokerError::Unavailable("the subscription was given up".into())),
        }
    }

    pub(crate) fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        let now = self.now();
        lock(&self.table).drop_worker(channel, worker, now);
    }

    /// Puts what a master announced into the mailboxes of the workers that need it. Called in the order of the announcements.
    pub(crate) fn deliver(&self, by: Master, lane: &[u8], message: &[u8]) {
        let Some(channel) = std::str::from_utf8(lane).ok().and_then(|lane| self.keys.channel(lane)) else { return };
        let Some(delivery) = codec::decode(message) else {
            self.counters.foreign.add(1);
            return;
        };
        let at = if let Delivery::Publication(publication) = &delivery { publication.position } else { None };
        let routed = lock(&self.table).deliver(by, &channel, at).map(|(name, workers)| (name.clone(), workers));
        let Some((channel, workers)) = routed else { return };
        for mailbox in workers.iter().filter_map(|worker| self.mailboxes.get(worker.index())) {
            mailbox.deliver(&channel, delivery.clone());
        }
    }

    /// The stream of this channel stood at `top`: workers that have less have lost something.
    pub(crate) fn stands_at(&self, channel: &ChannelName, top: Position, check: Check) {
        self.post(channel, |name| Post::Top(name, top, check));
    }

    /// The same as a precaution, unless the channel was subscribed anew since: then it is looked at anyway.
    pub(crate) fn stood_at(&self, channel: &ChannelName, top: Position, since: Incarnation) {
        if lock(&self.table).is_unbroken(channel, since) {
            self.stands_at(channel, top, Check::Audit);
        }
    }

    /// A publication of this node was answered with this position.
    pub(crate) fn acknowledged(&self, channel: &ChannelName, at: Position) {
        let now = self.now();
        lock(&self.table).owe(channel, at, now);
    }

    /// Deliveries of this channel stay away: it is subscribed to anew, and looked at.
    pub(crate) fn doubt(&self, channel: &ChannelName) {
        lock(&self.table).doubt(channel);
    }

    /// Deliveries of this channel may be lost.
    pub(crate) fn dirty(&self, channel: &ChannelName) {
        self.post(channel, Post::Dirty);
    }

    /// Up to `most` channels that this master has to be told of.
    pub(crate) fn next_subscribe(&self, at: Master, most: usize) -> Vec<ChannelName> {
        let now = self.now();
        let mut table = lock(&self.table);
        self.counters.silent.add(table.overdue(now) as u64);
        table.subscribe(at, most)
    }

    /// The master confirmed some of these, and not the others; answers those that have to be checked.
    pub(crate) fn subscribed(&self, at: Master, confirmed: &[ChannelName], others: &[ChannelName]) -> Vec<ChannelName> {
        let now = self.now();
        let mut table = lock(&self.table);
        table.refused(at, others);
        table.subscribed(at, confirmed, now)
    }

    /// Up to `most` channels that this master may forget.
    pub(crate) fn next_unsubscribe(&self, at: Master, most: usize) -> Vec<ChannelName> {
        let now = self.now();
        lock(&self.table).unsubscribe(at, most, now)
    }

    pub(crate) fn unsubscribed(&self, at: Master, names: &[ChannelName]) {
        lock(&self.table).unsubscribed(at, names);
    }

    /// The master ended a subscription; true if that was relied on.
    pub(crate) fn ended(&self, at: Master, lane: &str) -> bool {
        self.keys.channel(lane).is_some_and(|channel| lock(&self.table).ended(at, &channel))
    }

    pub(crate) fn disconnected(&self, at: Master) {
        lock(&self.table).disconnected(at);
    }

    /// Slots are served by others now.
    pub(crate) fn rehome(&self, map: Arc<Topology>) {
        lock(&self.table).rehome(map);
    }

    /// Notified when [`Self::next_subscribe`] may have something for this master.
    pub(crate) fn told(&self, at: Master) -> Arc<Notify> {
        lock(&self.table).told(at)
    }

    /// Channels with a history that workers rely on, in these slots.
    pub(crate) fn kept_in(&self, slots: &BTreeSet<Slot>) -> Vec<ChannelName> {
        lock(&self.table).kept_in(slots)
    }

    /// Channels with a history that workers rely on.
    pub(crate) fn kept(&self) -> Vec<(ChannelName, Incarnation)> {
        lock(&self.table).kept()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.table).len()
    }

    fn post(&self, channel: &ChannelName, post: impl Fn(ChannelName) -> Post) {
        let routed = lock(&self.table).route(channel).map(|(name, workers)| (name.clone(), workers));
        let Some((name, workers)) = routed else { return };
        for mailbox in workers.iter().filter_map(|worker| self.mailboxes.get(worker.index())) {
            mailbox.post(post(name.clone()));
        }
    }

    fn now(&self) -> Tick {
        Tick::default().after(self.start.elapsed())
    }
}
