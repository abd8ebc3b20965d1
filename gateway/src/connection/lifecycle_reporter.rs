//! What services hear of a connection: that it came, what it joined and left, that it ended.
//!
//! Where other nodes tell the end of a dead node's connections, a connection is known to them before any service hears of it: until then what happens to it waits.
//! A node that was taken for dead begins a second life, in which its connections come and join their channels anew. That happens to all of them at once, so it is told
//! as services have room for it.

use super::{
    driver::Driver,
    lifecycle_state::{LifecycleState, PendingReports},
};
use crate::services::{Lifecycle, LifecycleKind};
use gateway_core::model::ChannelName;
use std::time::Duration;

impl Driver {
    /// The connection has a user.
    pub(super) fn identified(&mut self) {
        if self.worker.hub.register_connections(self.registered.key()) {
            self.lifecycle_state = LifecycleState::Soon(Vec::new());
        } else {
            self.lifecycle_state = LifecycleState::Yes;
            self.report_now(LifecycleKind::Connected, None);
        }
    }

    /// Other nodes know of the connection. A second time: its node was taken for dead, and others may have told its end.
    pub(super) fn registered_connections(&mut self) {
        match std::mem::replace(&mut self.lifecycle_state, LifecycleState::Yes) {
            LifecycleState::No => self.lifecycle_state = LifecycleState::No,
            LifecycleState::Soon(joined) => {
                self.report_now(LifecycleKind::Connected, None);
                for channel in &joined {
                    self.report_now(LifecycleKind::Subscribed, Some(channel));
                }
            }
            LifecycleState::Yes | LifecycleState::PendingReports(_) => {
                self.lifecycle_state = LifecycleState::PendingReports(Box::new(PendingReports {
                    since: self.now(),
                    connected_reported: false,
                    joined: self.session.channels(),
                }));
                self.report_again();
            }
        }
    }

    /// Tells what has to be told again, as far as there is room for it.
    pub(super) fn report_again(&mut self) {
        let mut pending = match std::mem::replace(&mut self.lifecycle_state, LifecycleState::Yes) {
            LifecycleState::PendingReports(pending) => pending,
            other => return self.lifecycle_state = other,
        };
        let waited = self.now().since(pending.since);
        pending.connected_reported = pending.connected_reported || self.report_until(LifecycleKind::Connected, None, waited);
        while pending.connected_reported
            && let Some(channel) = pending.joined.last()
            && self.report_until(LifecycleKind::Subscribed, Some(channel), waited)
        {
            pending.joined.pop();
        }
        if !pending.connected_reported || !pending.joined.is_empty() {
            self.lifecycle_state = LifecycleState::PendingReports(pending);
            self.worker.hub.remind(self.registered.key());
        }
    }

    /// Tells the services that ask for it, or will.
    pub(super) fn report(&mut self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        // What was joined and left again before they hear of it nobody needs to hear of.
        let (joined, is_new) = match (&mut self.lifecycle_state, channel) {
            (LifecycleState::Soon(joined), Some(_)) => (joined, true),
            (LifecycleState::PendingReports(pending), Some(_)) => (&mut pending.joined, false),
            (LifecycleState::Yes | LifecycleState::PendingReports(_), None) | (LifecycleState::Yes, Some(_)) => {
                return self.report_now(kind, channel);
            }
            (LifecycleState::Soon(_), None) | (LifecycleState::No, _) => return,
        };
        let before = joined.len();
        joined.retain(|it| Some(it) != channel);
        let was_known = !is_new && joined.len() == before;
        if kind == LifecycleKind::Subscribed {
            joined.extend(channel.cloned());
        } else if was_known {
            self.report_now(kind, channel);
        }
    }

    fn report_now(&self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        if let Some(event) = self.lifecycle(kind, channel) {
            self.worker.node.services.send_lifecycle(&event);
        }
    }

    /// Whether it need not be told once more.
    fn report_until(&self, kind: LifecycleKind, channel: Option<&ChannelName>, waited: Duration) -> bool {
        self.lifecycle(kind, channel).is_none_or(|event| self.worker.node.services.send_until_expired(&event, waited))
    }

    /// None: nobody asks for it.
    fn lifecycle(&self, kind: LifecycleKind, channel: Option<&ChannelName>) -> Option<Lifecycle> {
        let (node, info) = (&self.worker.node, self.info.as_ref()?);
        let event =
            || Lifecycle { kind, holder: node.holder(), user: info.user.clone(), connection: info.client, channel: channel.cloned() };
        node.services.wants(kind).then(event)
    }
}
