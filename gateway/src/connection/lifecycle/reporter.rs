//! Reports a connection's lifecycle events to services: connected, subscribed, unsubscribed, disconnected.
//!
//! Where other nodes report the end of a dead node's connections, a connection enters the registry before services receive its first event. Until then
//! its events wait.
//!
//! If the cluster takes a living node for dead, other nodes report all its connections as disconnected. The node then reports them as connected and
//! subscribed once more. As this concerns all connections at once, each report waits until the service has credit for it.

use super::{
    super::driver::Driver,
    state::{LifecycleState, PendingReports},
};
use crate::{
    broker::RegistryKey,
    hub::RegisteredEnd,
    services::{Change, End, Lifecycle, LifecycleKind, Origin, Receipt, Subscription},
};
use gateway_core::model::ChannelName;

impl Driver {
    /// Handles the result of the connect command: the connection has a user.
    pub(in crate::connection) fn on_identified(&mut self) {
        if self.worker.hub.register_connections(self.registration.key()) {
            self.lifecycle_state = LifecycleState::AwaitingRegistration(Vec::new());
        } else {
            self.lifecycle_state = LifecycleState::Reported;
            self.report_now(LifecycleKind::Connected, None, Change::Connected);
        }
    }

    /// Handles the connection's entry into the registry. A second entry means that the cluster took this node for dead, and that other nodes may have
    /// reported the connection as disconnected.
    pub(in crate::connection) fn on_registered(&mut self) {
        match std::mem::replace(&mut self.lifecycle_state, LifecycleState::Reported) {
            LifecycleState::NotConnected => self.lifecycle_state = LifecycleState::NotConnected,
            LifecycleState::AwaitingRegistration(joined) => {
                self.report_now(LifecycleKind::Connected, None, Change::Connected);
                for channel in joined {
                    self.send_subscribed(channel);
                }
            }
            LifecycleState::Reported | LifecycleState::PendingReports(_) => {
                self.lifecycle_state = LifecycleState::PendingReports(Box::new(PendingReports {
                    since: self.now(),
                    connected_reported: false,
                    joined: self.reported_channels(),
                }));
                self.report_pending();
            }
        }
    }

    /// The channels of which services have received `subscribed`, or which wait for it here. The registry gives notice of the others.
    fn reported_channels(&self) -> Vec<ChannelName> {
        let (hub, Some(info)) = (&self.worker.hub, &self.info) else { return Vec::new() };
        let mut channels = hub.live_channels(self.registration.key());
        channels.retain(|channel| !hub.awaits_registration(info.client, channel));
        channels
    }

    /// Sends pending reports as far as services have credit.
    pub(in crate::connection) fn report_pending(&mut self) {
        let mut pending = match std::mem::replace(&mut self.lifecycle_state, LifecycleState::Reported) {
            LifecycleState::PendingReports(pending) => pending,
            other => return self.lifecycle_state = other,
        };
        let waited = self.now().since(pending.since);
        // An event that no service wants, or that has expired, needs no further attempt.
        let is_done = |event: Option<Lifecycle>| event.is_none_or(|event| self.worker.node.services.send_until_expired(&event, waited));
        pending.connected_reported =
            pending.connected_reported || is_done(self.lifecycle_event(LifecycleKind::Connected, Change::Connected));
        while pending.connected_reported
            && let Some(channel) = pending.joined.last()
            && is_done(self.subscribed(channel.clone()))
        {
            pending.joined.pop();
        }
        if !pending.connected_reported || !pending.joined.is_empty() {
            self.lifecycle_state = LifecycleState::PendingReports(pending);
            self.worker.hub.report_later(self.registration.key());
        }
    }

    /// Reports that the connection receives the deliveries of a channel, once the registry has the subscription if it keeps it.
    pub(in crate::connection) fn on_live(&mut self, channel: ChannelName) {
        if !self.worker.hub.register_subscription(self.registration.key(), &channel) {
            self.report_subscribed(channel);
        }
    }

    /// Handles the entry of a subscription into the registry.
    pub(in crate::connection) fn on_subscription_registered(&mut self, channel: ChannelName) {
        if let Some(info) = &self.info
            && self.worker.hub.report_registered(info.client, &channel)
        {
            self.report_subscribed(channel);
        }
    }

    /// Reports a subscription, now or once services have `connected`.
    fn report_subscribed(&mut self, channel: ChannelName) {
        match &mut self.lifecycle_state {
            LifecycleState::NotConnected => {}
            LifecycleState::AwaitingRegistration(joined) => joined.push(channel),
            LifecycleState::PendingReports(pending) => pending.joined.push(channel),
            LifecycleState::Reported => self.send_subscribed(channel),
        }
    }

    /// Reports the end of a subscription, unless it ended before services learned of it.
    pub(in crate::connection) fn report_unsubscribed(&mut self, channel: &ChannelName, end: impl FnOnce() -> End) {
        let Some(connection) = self.info.as_ref().map(|info| info.client) else { return };
        let (number, receipt) = match self.worker.hub.end_registered(connection, channel) {
            RegisteredEnd::Unregistered => (None, None),
            RegisteredEnd::Unreported => return,
            RegisteredEnd::Reported(key) => (number_of(&key), self.receipt(key)),
        };
        let services_know = match &mut self.lifecycle_state {
            LifecycleState::NotConnected => false,
            LifecycleState::AwaitingRegistration(joined) => {
                joined.retain(|it| it != channel);
                false
            }
            LifecycleState::PendingReports(pending) => {
                let before = pending.joined.len();
                pending.joined.retain(|it| it != channel);
                pending.joined.len() == before
            }
            LifecycleState::Reported => true,
        };
        if services_know {
            let number = number.unwrap_or_else(|| self.worker.hub.subscription_number(connection, channel));
            let subscription = Subscription { channel: channel.clone(), number };
            self.report_now(LifecycleKind::Unsubscribed, receipt, |origin| Change::Unsubscribed(origin, subscription, end()));
        }
    }

    /// Reports the end of the connection, and before that the end of each of its subscriptions.
    pub(in crate::connection) fn report_end(&mut self) {
        let end = self.closing.as_ref().map_or_else(End::broken, |closing| closing.end.clone());
        if self.worker.node.services.wants(LifecycleKind::Unsubscribed) {
            for channel in self.worker.hub.live_channels(self.registration.key()) {
                self.report_unsubscribed(&channel, || end.clone());
            }
        }
        // If there is no event, its receipt removes the entry at once.
        let receipt = self.info.as_ref().and_then(|info| self.receipt(RegistryKey::Connection(info.client)));
        if matches!(self.lifecycle_state, LifecycleState::Reported | LifecycleState::PendingReports(_)) {
            self.report_now(LifecycleKind::Disconnected, receipt, |origin| Change::Disconnected(origin, end));
        }
    }

    /// Removes an entry from the registry once services know the end. `None` if the registry is not in use.
    fn receipt(&self, key: RegistryKey) -> Option<Receipt> {
        self.worker.hub.removal(key).map(Receipt::new)
    }

    fn send_subscribed(&self, channel: ChannelName) {
        if let Some(event) = self.subscribed(channel) {
            self.worker.node.services.send_lifecycle(&event);
        }
    }

    fn subscribed(&self, channel: ChannelName) -> Option<Lifecycle> {
        self.lifecycle_event(LifecycleKind::Subscribed, |origin| Change::Subscribed(origin, self.subscription(channel)))
    }

    fn subscription(&self, channel: ChannelName) -> Subscription {
        let number = self.info.as_ref().map_or(0, |info| self.worker.hub.subscription_number(info.client, &channel));
        Subscription { channel, number }
    }

    fn report_now(&self, kind: LifecycleKind, receipt: Option<Receipt>, change: impl FnOnce(Origin) -> Change) {
        if let Some(event) = self.lifecycle_event(kind, change) {
            self.worker.node.services.send_lifecycle(&event.with_receipt(receipt));
        }
    }

    /// Builds an event. `None` if no service wants this kind.
    fn lifecycle_event(&self, kind: LifecycleKind, change: impl FnOnce(Origin) -> Change) -> Option<Lifecycle> {
        let (node, info) = (&self.worker.node, self.info.as_ref()?);
        let origin = || Origin { holder: node.holder(), connection: info.client, user: info.user.clone(), meta: self.meta.clone() };
        node.services.wants(kind).then(|| Lifecycle::new(change(origin())))
    }
}

fn number_of(key: &RegistryKey) -> Option<u64> {
    match key {
        RegistryKey::Subscription { number, .. } => Some(*number),
        RegistryKey::Connection(_) => None,
    }
}
