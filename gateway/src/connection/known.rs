//! What services hear of a connection: that it came, what it joined and left, that it ended.
//!
//! Where other nodes tell the end of a dead node's connections, a connection is known to them before any service hears of it: until then what happens to it waits.

use super::Driver;
use crate::{
    model::ChannelName,
    services::{Lifecycle, LifecycleKind},
};

/// Whether services may hear of a connection.
pub(super) enum Known {
    /// It has no user yet.
    No,
    /// Not yet; these channels it has joined meanwhile.
    Soon(Vec<ChannelName>),
    /// They have heard that it came.
    Yes,
}

impl Driver {
    /// The connection has a user.
    pub(super) fn identified(&mut self) {
        if self.worker.hub.enroll(self.registered.key()) {
            self.known = Known::Soon(Vec::new());
        } else {
            self.enrolled();
        }
    }

    /// Other nodes know of the connection. A second time: its node was taken for dead, and others may have told its end.
    pub(super) fn enrolled(&mut self) {
        let before = std::mem::replace(&mut self.known, Known::Yes);
        self.tell(LifecycleKind::Connected, None);
        if let Known::Soon(joined) = before {
            for channel in &joined {
                self.tell(LifecycleKind::Subscribed, Some(channel));
            }
        }
    }

    /// Tells the services that ask for it, or will.
    pub(super) fn tell(&mut self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        match (&mut self.known, channel) {
            (Known::Yes, channel) => self.tell_now(kind, channel),
            // What was joined and left again in the meantime nobody needs to hear of.
            (Known::Soon(joined), Some(channel)) => {
                joined.retain(|it| it != channel);
                joined.extend((kind == LifecycleKind::Subscribed).then(|| channel.clone()));
            }
            (Known::Soon(_), None) | (Known::No, _) => {}
        }
    }

    fn tell_now(&self, kind: LifecycleKind, channel: Option<&ChannelName>) {
        let (node, Some(info)) = (&self.worker.node, &self.info) else { return };
        if node.services.hears(kind) {
            let (holder, user, connection) = (node.holder(), info.user.clone(), info.client);
            node.services.lifecycle(&Lifecycle { kind, holder, user, connection, channel: channel.cloned() });
        }
    }
}
