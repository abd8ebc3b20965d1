//! Writes this worker's connections to the registry, and their subscriptions to channels with `lifecycle`. From it other nodes report what has ended with
//! a dead node. The registry is in use only where a service wants such events.
//!
//! One task adds and removes entries in groups, in this order. A connection that opens and closes is therefore absent at the end.
//! Another task wakes connections whose lifecycle events found no credit at a service.

use super::{
    hub::Hub,
    keys::ConnKey,
    output::outbox::Notice,
    state::{
        queues::registry_queue::{AfterRegistration, CHUNK},
        subscription_registry::RegisteredEnd,
    },
};
use crate::{
    broker::{BrokerError, RegistryKey},
    telemetry::FailureLog,
};
use gateway_core::model::{ChannelName, ConnectionId};
use std::{rc::Rc, time::Duration};
use tokio::time::sleep;

/// Pause between two groups of reminders. Services grant new credit in this time.
const REMINDER_PAUSE: Duration = Duration::from_millis(50);

impl Hub {
    /// Queues an identified connection for the registry. The connection receives [`Notice::Registered`] once it is in. Returns false if the registry
    /// is not in use.
    pub fn register_connections(&self, key: ConnKey) -> bool {
        let is_enabled = self.registry_queue.is_enabled.get();
        if is_enabled {
            self.registry_queue.join(key, AfterRegistration::Notify);
        }
        is_enabled
    }

    /// Starts to use the registry, and queues all present connections for it. The present connections have already reported `connected`, so
    /// they get no [`Notice::Registered`].
    pub(crate) fn register_all(&self) {
        if !self.registry_queue.is_enabled.replace(true) {
            self.register_each(AfterRegistration::Nothing);
        }
    }

    /// Registers all connections again, because the cluster has taken this node for dead and treats the old entries as those of a dead node.
    pub(crate) fn reregister_all(&self) {
        if self.registry_queue.is_enabled.get() {
            self.register_each(AfterRegistration::Notify);
        }
    }

    fn register_each(&self, after: AfterRegistration) {
        for (index, entry) in self.state.borrow().connections.iter().filter(|(_, entry)| entry.info.is_some()) {
            self.registry_queue.join(ConnKey { index: index as u32, generation: entry.generation }, after);
        }
    }

    /// Starts to keep subscriptions in the registry, and queues all present ones for it. Services know them already.
    pub(crate) fn register_all_subscriptions(&self) {
        if !self.subscription_registry.is_enabled.replace(true) {
            self.register_each_subscription();
        }
    }

    /// Registers all subscriptions again. Their connections report them again.
    pub(crate) fn reregister_subscriptions(&self) {
        if !self.subscription_registry.is_enabled.get() {
            return;
        }
        self.subscription_registry.clear_repeats();
        let connections = self.register_each_subscription();
        // Otherwise the entries of the connections have the same effect.
        if !self.registry_queue.is_enabled.get() {
            for key in connections {
                self.notify(key, Notice::Registered);
            }
        }
    }

    /// Returns the connections that have such subscriptions.
    fn register_each_subscription(&self) -> Vec<ConnKey> {
        let (state, mut with_subscriptions) = (self.state.borrow(), Vec::new());
        for (index, entry) in &state.connections {
            let key = ConnKey { index: index as u32, generation: entry.generation };
            let live = entry.subscriptions.iter().filter(|subscription| subscription.is_live());
            let channels = live.filter_map(|subscription| state.local_channels.get(subscription.local_channel.index()));
            for channel in channels.filter(|channel| channel.options.lifecycle) {
                self.subscription_registry.begin_reported(key, entry.id, &channel.name, self.next_subscription_number());
                with_subscriptions.push(key);
            }
        }
        with_subscriptions.dedup();
        self.registry_queue.changed.notify_one();
        with_subscriptions
    }

    /// Queues a live subscription for the registry. The connection receives [`Notice::SubscriptionRegistered`] once it is in. Returns false if the
    /// registry does not keep it.
    pub fn register_subscription(&self, key: ConnKey, channel: &ChannelName) -> bool {
        if !self.subscription_registry.is_enabled.get() {
            return false;
        }
        let state = self.state.borrow();
        let has_lifecycle = state
            .channels
            .get(channel)
            .and_then(|channel| state.local_channels.get(channel.index()))
            .is_some_and(|local_channel| local_channel.options.lifecycle);
        let Some(entry) = state.connections.get(key.index as usize).filter(|entry| has_lifecycle && entry.generation == key.generation)
        else {
            return false;
        };
        self.subscription_registry.begin(key, entry.id, channel, self.next_subscription_number());
        self.registry_queue.changed.notify_one();
        true
    }

    /// Records that services get to know a subscription that is in the registry. Returns whether it still lasts.
    pub fn report_registered(&self, connection: ConnectionId, channel: &ChannelName) -> bool {
        self.subscription_registry.report(connection, channel)
    }

    /// Whether services learn of a subscription once it is in the registry.
    pub fn awaits_registration(&self, connection: ConnectionId, channel: &ChannelName) -> bool {
        self.subscription_registry.is_unreported(connection, channel)
    }

    /// Ends a subscription in the registry.
    pub fn end_registered(&self, connection: ConnectionId, channel: &ChannelName) -> RegisteredEnd {
        if !self.subscription_registry.is_enabled.get() {
            return RegisteredEnd::Unregistered;
        }
        let (end, to_remove) = self.subscription_registry.end(connection, channel);
        if let Some(key) = to_remove {
            self.registry_queue.remove(key);
        }
        end
    }

    /// A number that distinguishes a subscription from all others of its connection: that of its registry entry, if it has one.
    pub fn subscription_number(&self, connection: ConnectionId, channel: &ChannelName) -> u64 {
        self.subscription_registry.number(connection, channel).unwrap_or_else(|| self.next_subscription_number())
    }

    fn next_subscription_number(&self) -> u64 {
        self.last_subscription_number.update(|last| last + 1);
        self.last_subscription_number.get()
    }

    /// An action that removes an entry from the registry, for the time when services know the end. `None` if the registry is not in use.
    pub fn removal(&self, key: RegistryKey) -> Option<impl FnOnce() + Send + 'static> {
        let is_enabled = self.registry_queue.is_enabled.get() || self.subscription_registry.is_enabled.get();
        let sender = is_enabled.then(|| self.registry_queue.removals.sender.clone())?;
        // The receiver is gone if the worker has ended. Then another node reports the end again.
        Some(move || drop(sender.send(key)))
    }

    /// Sends [`Notice::ReportPending`] to the connection a moment later.
    pub fn report_later(&self, key: ConnKey) {
        self.registry_queue.unreported.borrow_mut().insert(key);
        self.registry_queue.reports_due.notify_one();
    }

    /// Adds, removes and sends reminders. Never returns.
    pub(crate) async fn write_registry(self: Rc<Self>) {
        futures_util::join!(self.add_and_remove(), self.take_removals(), self.send_report_reminders());
    }

    async fn take_removals(&self) {
        let Some(mut removals) = self.registry_queue.removals.receiver.borrow_mut().take() else { return };
        while let Some(key) = removals.recv().await {
            self.registry_queue.remove(key);
        }
    }

    async fn send_report_reminders(&self) {
        loop {
            self.registry_queue.reports_due.notified().await;
            // A connection that has to wait once more is in the next round.
            // Any order: all get the same reminder.
            let round: Vec<_> = self.registry_queue.unreported.take().into_iter().collect();
            for group in round.chunks(CHUNK) {
                sleep(REMINDER_PAUSE).await;
                for key in group {
                    self.notify(*key, Notice::ReportPending);
                }
            }
        }
    }

    /// Queues a notice for a connection, if it is still there, and wakes its task.
    pub fn notify(&self, key: ConnKey, notice: Notice) {
        let outbox = self.state.borrow_mut().entry(key).map(|entry| entry.outbox.clone());
        outbox.inspect(|outbox| outbox.notify(notice));
    }

    async fn add_and_remove(&self) {
        // The memory broker has no other nodes, and so no registry.
        let Some(nodes) = self.parts.broker.nodes() else { return };
        loop {
            let to_add = self.registry_queue.next_to_add();
            let subscriptions = self.subscription_registry.next_to_add();
            let to_remove = self.registry_queue.next_to_remove();
            if to_add.is_empty() && subscriptions.is_empty() && to_remove.is_empty() {
                self.registry_queue.changed.notified().await;
                continue;
            }
            let mut entries = Vec::with_capacity(to_add.len() + subscriptions.len());
            {
                let (mut state, mut added) = (self.state.borrow_mut(), self.registry_queue.added.borrow_mut());
                for (key, _) in &to_add {
                    if let Some(entry) = state.entry(*key)
                        && let Some(info) = &entry.info
                    {
                        added.insert(entry.id);
                        entries.push((RegistryKey::Connection(entry.id), info.user.clone()));
                    }
                }
                for (key, subscription, _) in &subscriptions {
                    if let Some(info) = state.entry(*key).and_then(|entry| entry.info.clone()) {
                        entries.push((subscription.clone(), info.user.clone()));
                    }
                }
            }
            self.with_retry(|| nodes.register_entries(&entries)).await;
            self.with_retry(|| nodes.unregister_entries(&to_remove)).await;
            for (key, _) in to_add.into_iter().filter(|(_, after)| *after == AfterRegistration::Notify) {
                self.notify(key, Notice::Registered);
            }
            for (key, subscription, _) in subscriptions.into_iter().filter(|(_, _, after)| *after == AfterRegistration::Notify) {
                if let RegistryKey::Subscription { channel, .. } = subscription {
                    self.notify(key, Notice::SubscriptionRegistered(channel));
                }
            }
        }
    }

    /// Notifies all connections as if they were in the registry.
    #[cfg(test)]
    pub(crate) fn all_registered(&self) {
        let outboxes: Vec<_> = self.state.borrow().connections.iter().map(|(_, entry)| entry.outbox.clone()).collect();
        for outbox in outboxes {
            outbox.notify(Notice::Registered);
        }
    }

    /// Notifies the connections of all queued subscriptions as if these were in the registry.
    #[cfg(test)]
    pub(crate) fn all_subscriptions_registered(&self) {
        for (key, subscription, _) in self.subscription_registry.next_to_add() {
            if let RegistryKey::Subscription { channel, .. } = subscription {
                self.notify(key, Notice::SubscriptionRegistered(channel));
            }
        }
    }

    async fn with_retry<F: Future<Output = Result<(), BrokerError>>>(&self, change: impl Fn() -> F) {
        let mut failures = FailureLog::default();
        while let Err(error) = change().await {
            failures.failed(|| tracing::warn!(%error, "cannot write the registry; the worker retries until it succeeds"));
            sleep(self.retry()).await;
        }
    }
}
