//! The subscriptions of this node, shared by the workers, the subscriber connections and the listener.

use super::{
    subscribed_channel::SubscriptionNumber,
    subscription_table::{Confirmation, SubscriptionTable},
};
use crate::broker::{
    BrokerError, Delivery, Mailbox, MailboxEntry, TopReason,
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

/// The subscriptions of this node, and the mailboxes to which they deliver.
pub(crate) struct Subscriptions {
    table: Mutex<SubscriptionTable>,
    mailboxes: Vec<Arc<Mailbox>>,
    keys: Keys,
    counters: Arc<Counters>,
    start: Instant,
}

impl Subscriptions {
    pub(crate) fn new(
        mailboxes: Vec<Arc<Mailbox>>,
        keys: Keys,
        topology: Arc<Topology>,
        unsubscribe_delay: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        Self { table: Mutex::new(SubscriptionTable::new(topology, unsubscribe_delay)), mailboxes, keys, counters, start: Instant::now() }
    }

    /// Subscribes a worker to a channel. Returns when the channel is subscribed. Every later publication will be delivered.
    pub(crate) async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, has_history: bool) -> Result<(), BrokerError> {
        let wanted = lock(&self.table).add_worker(channel, worker, has_history);
        match wanted {
            Confirmation::Confirmed => Ok(()),
            Confirmation::Pending(confirmed) => confirmed.await.map_err(|_| BrokerError::Unavailable("the gateway is stopping".into())),
        }
    }

    pub(crate) fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        let now = self.now();
        lock(&self.table).remove_worker(channel, worker, now);
    }

    /// Puts a message from a master into the mailboxes of the workers that need it. The caller calls this in the order of the messages.
    pub(crate) fn deliver(&self, by: Master, pubsub_channel: &[u8], message: &[u8]) {
        let Some(channel) = std::str::from_utf8(pubsub_channel).ok().and_then(|pubsub_channel| self.keys.channel(pubsub_channel)) else {
            return;
        };
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

    /// Reports the top of a channel's stream to its workers. A worker with an older position has lost publications.
    pub(crate) fn report_top(&self, channel: &ChannelName, top: Position, reason: TopReason) {
        self.post(channel, |name| MailboxEntry::Top(name, top, reason));
    }

    /// Reports a top that was read earlier, unless the channel's subscription was renewed since then. A renewed subscription is checked
    /// anyway.
    pub(crate) fn report_earlier_top(&self, channel: &ChannelName, top: Position, since: SubscriptionNumber) {
        if lock(&self.table).is_unbroken(channel, since) {
            self.report_top(channel, top, TopReason::Audit);
        }
    }

    /// Records that Redis acknowledged a publication of this node at this position.
    pub(crate) fn acknowledged(&self, channel: &ChannelName, at: Position) {
        let now = self.now();
        lock(&self.table).expect_delivery(channel, at, now);
    }

    /// Subscribes again to a channel whose deliveries are missing, and checks it for lost publications.
    pub(crate) fn resubscribe(&self, channel: &ChannelName) {
        lock(&self.table).resubscribe(channel);
    }

    /// Reports to the workers that deliveries of this channel may be lost.
    pub(crate) fn mark_dirty(&self, channel: &ChannelName) {
        self.post(channel, MailboxEntry::Dirty);
    }

    /// Takes at most `most` channels to which the listener must subscribe at this master.
    pub(crate) fn next_subscribe(&self, at: Master, most: usize) -> Vec<ChannelName> {
        let now = self.now();
        let mut table = lock(&self.table);
        self.counters.missing_deliveries.add(table.resubscribe_overdue(now) as u64);
        table.take_to_subscribe(at, most)
    }

    /// Records that the master confirmed the subscriptions `confirmed`, and not `others`. Returns the channels that must be checked for
    /// lost publications.
    pub(crate) fn subscribed(&self, at: Master, confirmed: &[ChannelName], others: &[ChannelName]) -> Vec<ChannelName> {
        let now = self.now();
        let mut table = lock(&self.table);
        table.not_confirmed(at, others);
        table.subscribed(at, confirmed, now)
    }

    /// Takes at most `most` channels from which the listener must unsubscribe at this master.
    pub(crate) fn next_unsubscribe(&self, at: Master, most: usize) -> Vec<ChannelName> {
        let now = self.now();
        lock(&self.table).take_to_unsubscribe(at, most, now)
    }

    pub(crate) fn unsubscribed(&self, at: Master, names: &[ChannelName]) {
        lock(&self.table).unsubscribed(at, names);
    }

    /// Records that the master ended a subscription by itself. Returns whether the channel was subscribed there.
    pub(crate) fn ended(&self, at: Master, pubsub_channel: &str) -> bool {
        self.keys.channel(pubsub_channel).is_some_and(|channel| lock(&self.table).ended(at, &channel))
    }

    pub(crate) fn disconnected(&self, at: Master) {
        lock(&self.table).disconnected(at);
    }

    /// Applies a new slot map.
    pub(crate) fn apply_topology(&self, topology: Arc<Topology>) {
        lock(&self.table).apply_topology(topology);
    }

    /// Notified when [`Self::next_subscribe`] may have channels for this master.
    pub(crate) fn changes(&self, at: Master) -> Arc<Notify> {
        lock(&self.table).changes(at)
    }

    /// Subscribed channels with a history in these slots.
    pub(crate) fn with_history_in(&self, slots: &BTreeSet<Slot>) -> Vec<ChannelName> {
        lock(&self.table).with_history_in(slots)
    }

    /// Subscribed channels with a history, each with the number of its subscription.
    pub(crate) fn with_history(&self) -> Vec<(ChannelName, SubscriptionNumber)> {
        lock(&self.table).with_history()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.table).len()
    }

    fn post(&self, channel: &ChannelName, entry: impl Fn(ChannelName) -> MailboxEntry) {
        let routed = lock(&self.table).route(channel).map(|(name, workers)| (name.clone(), workers));
        let Some((name, workers)) = routed else { return };
        for mailbox in workers.iter().filter_map(|worker| self.mailboxes.get(worker.index())) {
            mailbox.post(entry(name.clone()));
        }
    }

    fn now(&self) -> Tick {
        Tick::default().after(self.start.elapsed())
    }
}
