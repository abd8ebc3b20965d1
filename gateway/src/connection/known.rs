//! What services hear of a connection: that it came, what it joined and left, that it ended.
//!
//! Where other nodes tell the end of a dead node's connections, a connection is known to them before any service hears of it: until then what happens to it waits.
//! A node that was taken for dead begins a second life, in which its connections come and join their channels anew. That happens to all of them at once, so it is told
//! as services have room for it.

use super::Driver;
use crate::services::{Lifecycle, LifecycleKind};
use gateway_core::model::{ChannelName, Tick};
use std::time::Duration;

/// Whether services may hear of a connection.
pub(super) enum Known {
    /// It has no user yet.
    No,
    /// Not yet; these channels it has joined meanwhile.
    Soon(Vec<ChannelName>),
    /// They have heard that it came.
    Yes,
    /// They have to hear it again.
    Again(Box<Again>),
}

/// What has to be told again.
pub(super) struct Again {
    since: Tick,
    /// Whether they have heard that it came.
    is_told: bool,
    /// Channels of which they have not heard.
    joined: Vec<ChannelName>,
}

impl Driver {
    /// The connection has a user.
    pub(super) fn identified(&mut self) {
        if self.worker.hub.enroll(self.registered.key()) {
            self.known = Known::Soon(Vec::new());
        } else {
            self.known = Known::Yes;
            self.tell_now(LifecycleKind::Connected, None);
        }
    }

    /// Other nodes know of the connection. A second time: its node was taken for dead, and others may have told its end.
    pub(super) fn enrolled(&mut self) {
        match std::mem::replace(&mut self.known, Known::Yes) {
            Known::No => self.known = Known::No,
            Known::Soon(joined) => {
                self.tell_now(LifecycleKind::Connected, None);
                for channel in &joined {
                    self.tell_now(LifecycleKind::Subscribed, Some(channel));
                }
            }
            Known::Yes | Known::Again(_) => {
                self.known = Known::Again(Box::new(Again { since: self.now(), is_told: false, joined: self.session.channels() }));
                self.tell_again();
            }
        }
    }

    /// Tells what has to be told again, as far as there is room for it.
    pub(super) fn tell_again(&mut self) {
        let mut again = match std::mem::replace(&mut self.known, Known::Yes) {
            Known::Again(again) => again,
            other => return self.known = other,
        };
        let waited = self.now().since(again.since);
        again.is_told = again.is_told || self.tell_until(LifecycleKind::Connected, None, waited);
        while again.is_told
            && let Some(channel) = again.joined.last()
            && self.tell_until(LifecycleKind::Subscribed, Some(channel), waited)
        {
            again.joined.pop();
        }
        if !again.is_told || !again.joined.is_empty() {
            self.known = Known::Again(again);
            self.worker.hub.remind(self.registered.key());
        }
    }

    /// Tells the services that ask for it, or will.
    pub(super) fn tell(&mut self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        // What was joined and left again before they hear of it nobody needs to hear of.
        let (joined, is_new) = match (&mut self.known, channel) {
            (Known::Soon(joined), Some(_)) => (joined, true),
            (Known::Again(again), Some(_)) => (&mut again.joined, false),
            (Known::Yes | Known::Again(_), None) | (Known::Yes, Some(_)) => return self.tell_now(kind, channel),
            (Known::Soon(_), None) | (Known::No, _) => return,
        };
        let before = joined.len();
        joined.retain(|it| Some(it) != channel);
        let was_known = !is_new && joined.len() == before;
        if kind == LifecycleKind::Subscribed {
            joined.extend(channel.cloned());
        } else if was_known {
            self.tell_now(kind, channel);
        }
    }

    fn tell_now(&self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        if let Some(event) = self.lifecycle(kind, channel) {
            self.worker.node.services.lifecycle(&event);
        }
    }

    /// Whether it need not be told once more.
    fn tell_until(&self, kind: LifecycleKind, channel: Option<&ChannelName>, waited: Duration) -> bool {
        self.lifecycle(kind, channel).is_none_or(|event| self.worker.node.services.tell_until(&event, waited))
    }

    /// None: nobody asks for it.
    fn lifecycle(&self, kind: LifecycleKind, channel: Option<&ChannelName>) -> Option<Lifecycle> {
        let (node, info) = (&self.worker.node, self.info.as_ref()?);
        let event =
            || Lifecycle { kind, holder: node.holder(), user: info.user.clone(), connection: info.client, channel: channel.cloned() };
        node.services.hears(kind).then(event)
    }
}
