//! Reports a connection's lifecycle events to services: connected, subscribed, unsubscribed, disconnected.
//!
//! Where other nodes report the end of a dead node's connections, a connection enters the registry before services receive its first event. Until then
//! its events wait.
//!
//! If the cluster takes a living node for dead, other nodes report all its connections as disconnected. The node then reports them as connected and
//! subscribed once more. As this concerns all connections at once, each report waits until the service has credit for it.

use super::{
    driver::Driver,
    lifecycle_state::{LifecycleState, PendingReports},
};
use crate::services::{Lifecycle, LifecycleKind};
use gateway_core::model::ChannelName;
use std::time::Duration;

impl Driver {
    /// Handles the result of the connect command: the connection has a user.
    pub(super) fn on_identified(&mut self) {
        if self.worker.hub.register_connections(self.registration.key()) {
            self.lifecycle_state = LifecycleState::AwaitingRegistration(Vec::new());
        } else {
            self.lifecycle_state = LifecycleState::Reported;
            self.report_now(LifecycleKind::Connected, None);
        }
    }

    /// Handles the connection's entry into the registry. A second entry means that the cluster took this node for dead, and that other nodes may have
    /// reported the connection as disconnected.
    pub(super) fn on_registered(&mut self) {
        match std::mem::replace(&mut self.lifecycle_state, LifecycleState::Reported) {
            LifecycleState::NotConnected => self.lifecycle_state = LifecycleState::NotConnected,
            LifecycleState::AwaitingRegistration(joined) => {
                self.report_now(LifecycleKind::Connected, None);
                for channel in &joined {
                    self.report_now(LifecycleKind::Subscribed, Some(channel));
                }
            }
            LifecycleState::Reported | LifecycleState::PendingReports(_) => {
                self.lifecycle_state = LifecycleState::PendingReports(Box::new(PendingReports {
                    since: self.now(),
                    connected_reported: false,
                    joined: self.session.channels(),
                }));
                self.report_pending();
            }
        }
    }

    /// Sends pending reports as far as services have credit.
    pub(super) fn report_pending(&mut self) {
        let mut pending = match std::mem::replace(&mut self.lifecycle_state, LifecycleState::Reported) {
            LifecycleState::PendingReports(pending) => pending,
            other => return self.lifecycle_state = other,
        };
        let waited = self.now().since(pending.since);
        pending.connected_reported = pending.connected_reported || self.report_unless_expired(LifecycleKind::Connected, None, waited);
        while pending.connected_reported
            && let Some(channel) = pending.joined.last()
            && self.report_unless_expired(LifecycleKind::Subscribed, Some(channel), waited)
        {
            pending.joined.pop();
        }
        if !pending.connected_reported || !pending.joined.is_empty() {
            self.lifecycle_state = LifecycleState::PendingReports(pending);
            self.worker.hub.report_later(self.registration.key());
        }
    }

    /// Reports an event to the services that subscribe to its kind, now or once the connection is in the registry.
    pub(super) fn report(&mut self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        // Services need no event about a subscription that ends before they learn of it.
        let (joined, is_new) = match (&mut self.lifecycle_state, channel) {
            (LifecycleState::AwaitingRegistration(joined), Some(_)) => (joined, true),
            (LifecycleState::PendingReports(pending), Some(_)) => (&mut pending.joined, false),
            (LifecycleState::Reported | LifecycleState::PendingReports(_), None) | (LifecycleState::Reported, Some(_)) => {
                return self.report_now(kind, channel);
            }
            (LifecycleState::AwaitingRegistration(_), None) | (LifecycleState::NotConnected, _) => return,
        };
        let before = joined.len();
        joined.retain(|it| Some(it) != channel);
        let was_reported = !is_new && joined.len() == before;
        if kind == LifecycleKind::Subscribed {
            joined.extend(channel.cloned());
        } else if was_reported {
            self.report_now(kind, channel);
        }
    }

    fn report_now(&self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        if let Some(event) = self.lifecycle_event(kind, channel) {
            self.worker.node.services.send_lifecycle(&event);
        }
    }

    /// Sends an event to the services that subscribe to its kind. Returns false if one of them could not take it, so that the event has to
    /// be sent again later. Returns true if all took it, if none subscribes, or if the event has expired.
    fn report_unless_expired(&self, kind: LifecycleKind, channel: Option<&ChannelName>, waited: Duration) -> bool {
        self.lifecycle_event(kind, channel).is_none_or(|event| self.worker.node.services.send_until_expired(&event, waited))
    }

    /// Builds an event. `None` if no service subscribes to its kind.
    fn lifecycle_event(&self, kind: LifecycleKind, channel: Option<&ChannelName>) -> Option<Lifecycle> {
        let (node, info) = (&self.worker.node, self.info.as_ref()?);
        let event = || Lifecycle {
            kind,
            holder: node.holder(),
            user: info.user.clone(),
            connection: info.client,
            meta: self.meta.clone(),
            channel: channel.cloned(),
        };
        node.services.wants(kind).then(event)
    }
}
