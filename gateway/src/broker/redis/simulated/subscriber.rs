//! The steps of a subscriber connection to the simulated server. Subscriptions and audit are the real ones.

use super::{
    flaw::Flaw,
    server::{Item, Request, Server},
};
use crate::broker::redis::servers::topology::Master;
use crate::broker::redis::{
    channels::audit::Audit, listener::context::ListenerContext, schema::keys::Keys, subscriptions::subscriptions::Subscriptions,
};
use gateway_core::model::ChannelName;
use std::{collections::VecDeque, sync::Arc};
use tokio::task::JoinSet;

/// The only server.
pub(super) const ONLY: Master = Master(0);

/// A simulated subscriber connection.
pub(crate) struct SimulatedSubscriber {
    subscriptions: Arc<Subscriptions>,
    audit: Arc<Audit>,
    keys: Keys,
    connected: Option<Connected>,
    /// Messages of an earlier connection that may still be delivered.
    late: VecDeque<Item>,
    /// The audits that run. They continue after the connection breaks.
    audits: JoinSet<()>,
    /// Whether the node ever compared channels of a broken connection with the store.
    pub(crate) has_resumed: bool,
}

struct Connected {
    /// The number of the connection at the server.
    subscriber: usize,
    requested: Option<Requested>,
    /// Whether the request was confirmed.
    confirmed: bool,
    checks: JoinSet<()>,
}

enum Requested {
    Subscribe(Vec<ChannelName>),
    Unsubscribe(Vec<ChannelName>),
}

impl SimulatedSubscriber {
    pub(super) fn new(context: &ListenerContext) -> Self {
        let (subscriptions, audit, keys) = (context.subscriptions.clone(), context.audit.clone(), context.keys.clone());
        let (late, audits) = (VecDeque::new(), JoinSet::new());
        Self { subscriptions, audit, keys, connected: None, late, audits, has_resumed: false }
    }

    /// Connects.
    pub(crate) fn connect(&mut self, server: &mut Server) -> bool {
        let is_down = self.connected.is_none();
        if is_down {
            self.connected = Some(Connected { subscriber: server.open(), requested: None, confirmed: false, checks: JoinSet::new() });
        }
        is_down
    }

    /// Sends a request for at most `chunk` channels, unless an earlier request waits for its answer.
    pub(crate) fn request(&mut self, server: &mut Server, chunk: usize) -> bool {
        let Some(connected) = self.connected.as_mut().filter(|it| it.requested.is_none()) else { return false };
        let pubsub_channels = |names: &[ChannelName]| names.iter().map(|name| self.keys.pubsub_channel(name)).collect();
        let names = self.subscriptions.next_subscribe(ONLY, chunk);
        if !names.is_empty() {
            server.request(connected.subscriber, Request::Subscribe(pubsub_channels(&names)));
            connected.requested = Some(Requested::Subscribe(names));
            return true;
        }
        let names = self.subscriptions.next_unsubscribe(ONLY, chunk);
        if names.is_empty() {
            return false;
        }
        server.request(connected.subscriber, Request::Unsubscribe(pubsub_channels(&names)));
        connected.requested = Some(Requested::Unsubscribe(names));
        true
    }

    /// The server executes the next request.
    pub(crate) fn execute_request(&mut self, server: &mut Server) -> bool {
        self.connected.as_ref().is_some_and(|it| server.execute_request(it.subscriber))
    }

    /// The next push arrives.
    pub(crate) fn receive(&mut self, server: &mut Server) -> bool {
        let item = self.late.pop_front().or_else(|| server.next_item(self.connected.as_ref()?.subscriber));
        match item {
            None => return false,
            Some(Item::Message(pubsub_channel, message)) => self.subscriptions.deliver(ONLY, pubsub_channel.as_bytes(), &message),
            Some(Item::Confirmation) => {
                if let Some(connected) = &mut self.connected {
                    connected.confirmed = true;
                }
            }
        }
        true
    }

    /// The listener handles a confirmation.
    pub(crate) fn handle_confirmation(&mut self, server: &Server) -> bool {
        let Some(connected) = self.connected.as_mut().filter(|it| it.confirmed) else { return false };
        connected.confirmed = false;
        match connected.requested.take() {
            Some(Requested::Subscribe(names)) => {
                let resumed = self.subscriptions.subscribed(ONLY, &names, &[]);
                self.has_resumed |= !resumed.is_empty();
                if server.flaw != Some(Flaw::UncheckedResume) {
                    let audit = self.audit.clone();
                    connected.checks.spawn_local(async move { audit.check(resumed).await });
                }
            }
            Some(Requested::Unsubscribe(names)) => self.subscriptions.unsubscribed(ONLY, &names),
            None => {}
        }
        true
    }

    /// The connection breaks. The node does not detect this yet.
    pub(crate) fn cut(&mut self, server: &mut Server) -> bool {
        self.connected.as_ref().is_some_and(|it| server.close(it.subscriber))
    }

    /// The server stops delivering to the connection, which stays open.
    pub(crate) fn stop_delivering(&mut self, server: &mut Server) -> bool {
        self.connected.as_ref().is_some_and(|it| server.stop_delivering(it.subscriber))
    }

    /// The server forgets one subscribed channel of the connection.
    pub(crate) fn forget_channel(&mut self, server: &mut Server, channel: &str) -> bool {
        self.connected.as_ref().is_some_and(|it| server.forget_channel(it.subscriber, &self.keys.pubsub_channel(channel)))
    }

    /// The listener detects that the connection broke or delivers nothing. Messages in flight arrive later if `late` is true; otherwise
    /// they are lost.
    pub(crate) fn detect_break(&mut self, server: &mut Server, late: bool) -> bool {
        let Some(Connected { subscriber, .. }) = self.connected.take_if(|it| !server.works(it.subscriber)) else { return false };
        server.close(subscriber);
        if server.flaw == Some(Flaw::LogsError) {
            tracing::error!("a planted error");
        }
        self.late.clear();
        while late && let Some(item) = server.next_item(subscriber) {
            self.late.extend(Some(item).filter(|item| matches!(item, Item::Message(..))));
        }
        self.subscriptions.disconnected(ONLY);
        true
    }

    /// Audits every channel once.
    pub(crate) fn audit(&mut self) {
        let (audit, kept) = (self.audit.clone(), self.subscriptions.with_history());
        self.audits.spawn_local(async move {
            let tops = audit.tops(kept).await;
            tokio::time::sleep(audit.delivery_limit).await;
            for (channel, number, top) in tops {
                audit.subscriptions.report_earlier_top(&channel, top, number);
            }
        });
    }
}
