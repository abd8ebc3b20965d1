//! What a subscriber connection does, step by step, with a simulated connection. The subscriptions and the audit are the real ones.

use super::server::{Ask, Flaw, Item, Server};
use crate::broker::redis::servers::topology::Master;
use crate::broker::redis::{
    channels::audit::Audit, listener::context::ListenerContext, schema::keys::Keys, subscriptions::subscriptions::Subscriptions,
};
use gateway_core::model::ChannelName;
use std::{collections::VecDeque, sync::Arc};
use tokio::task::JoinSet;

/// The only server.
pub(super) const ONLY: Master = Master(0);

/// See the module.
pub(crate) struct SimulatedSubscriber {
    subscriptions: Arc<Subscriptions>,
    audit: Arc<Audit>,
    keys: Keys,
    connected: Option<Connected>,
    /// Of earlier connections: heard by their own tasks, which may be late.
    late: VecDeque<Item>,
    /// Audits outlive connections.
    audits: JoinSet<()>,
}

struct Connected {
    /// Its number on the server.
    outlet: usize,
    asked: Option<Asked>,
    /// What was asked is confirmed.
    confirmed: bool,
    checks: JoinSet<()>,
}

enum Asked {
    Subscribe(Vec<ChannelName>),
    Unsubscribe(Vec<ChannelName>),
}

impl SimulatedSubscriber {
    pub(super) fn new(context: &ListenerContext) -> Self {
        let (subscriptions, audit, keys) = (context.subscriptions.clone(), context.audit.clone(), context.keys.clone());
        Self { subscriptions, audit, keys, connected: None, late: VecDeque::new(), audits: JoinSet::new() }
    }

    /// A connection is made.
    pub(crate) fn connect(&mut self, server: &mut Server) -> bool {
        let away = self.connected.is_none();
        if away {
            self.connected = Some(Connected { outlet: server.open(), asked: None, confirmed: false, checks: JoinSet::new() });
        }
        away
    }

    /// The server is told of up to `chunk` channels, if it owes no answer.
    pub(crate) fn ask(&mut self, server: &mut Server, chunk: usize) -> bool {
        let Some(connected) = self.connected.as_mut().filter(|it| it.asked.is_none()) else { return false };
        let lanes = |names: &[ChannelName]| names.iter().map(|name| self.keys.lane(name)).collect();
        let wanted = self.subscriptions.next_subscribe(ONLY, chunk);
        if !wanted.is_empty() {
            server.ask(connected.outlet, Ask::Subscribe(lanes(&wanted)));
            connected.asked = Some(Asked::Subscribe(wanted));
            return true;
        }
        let unwanted = self.subscriptions.next_unsubscribe(ONLY, chunk);
        if unwanted.is_empty() {
            return false;
        }
        server.ask(connected.outlet, Ask::Unsubscribe(lanes(&unwanted)));
        connected.asked = Some(Asked::Unsubscribe(unwanted));
        true
    }

    /// The server does what it was asked for.
    pub(crate) fn obey(&mut self, server: &mut Server) -> bool {
        self.connected.as_ref().is_some_and(|it| server.obey(it.outlet))
    }

    /// The next item arrives.
    pub(crate) fn hear(&mut self, server: &mut Server) -> bool {
        let item = self.late.pop_front().or_else(|| server.next_item(self.connected.as_ref()?.outlet));
        match item {
            None => return false,
            Some(Item::Message(lane, message)) => self.subscriptions.deliver(ONLY, lane.as_bytes(), &message),
            Some(Item::Confirmation) => {
                if let Some(connected) = &mut self.connected {
                    connected.confirmed = true;
                }
            }
        }
        true
    }

    /// The listener learns what was confirmed.
    pub(crate) fn act(&mut self, server: &Server) -> bool {
        let Some(connected) = self.connected.as_mut().filter(|it| it.confirmed) else { return false };
        connected.confirmed = false;
        match connected.asked.take() {
            Some(Asked::Subscribe(names)) => {
                let resumed = self.subscriptions.subscribed(ONLY, &names, &[]);
                if server.flaw != Some(Flaw::UncheckedResume) {
                    let audit = self.audit.clone();
                    connected.checks.spawn_local(async move { audit.resumed(resumed).await });
                }
            }
            Some(Asked::Unsubscribe(names)) => self.subscriptions.unsubscribed(ONLY, &names),
            None => {}
        }
        true
    }

    /// The connection breaks; the node does not know yet.
    pub(crate) fn cut(&mut self, server: &mut Server) -> bool {
        self.connected.as_ref().is_some_and(|it| server.close(it.outlet))
    }

    /// The server forgets what the connection is subscribed to.
    pub(crate) fn deafen(&mut self, server: &mut Server) -> bool {
        self.connected.as_ref().is_some_and(|it| server.deafen(it.outlet))
    }

    /// The server forgets one channel of the connection, which is as good as before otherwise.
    pub(crate) fn mislay(&mut self, server: &mut Server, channel: &str) -> bool {
        self.connected.as_ref().is_some_and(|it| server.mislay(it.outlet, &self.keys.lane(channel)))
    }

    /// The listener finds that the connection broke, or that it is deaf. What has arrived is heard late, or never.
    pub(crate) fn notice(&mut self, server: &mut Server, late: bool) -> bool {
        let Some(Connected { outlet, .. }) = self.connected.take_if(|it| !server.is_well(it.outlet)) else { return false };
        server.close(outlet);
        self.late.clear();
        while late && let Some(item) = server.next_item(outlet) {
            self.late.extend(Some(item).filter(|item| matches!(item, Item::Message(..))));
        }
        self.subscriptions.disconnected(ONLY);
        true
    }

    /// Every channel is looked at once.
    pub(crate) fn audit(&mut self) {
        let (audit, kept) = (self.audit.clone(), self.subscriptions.kept());
        self.audits.spawn_local(async move {
            let tops = audit.tops(kept).await;
            tokio::time::sleep(audit.patience).await;
            for (channel, incarnation, top) in tops {
                audit.subscriptions.stood_at(&channel, top, incarnation);
            }
        });
    }
}
