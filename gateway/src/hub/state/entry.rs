//! One connection in the hub, and its subscriptions.

use super::{local_channel::LocalChannel, terms::Terms, token_index::Row};
use crate::{
    broker::mailbox::ConnectionSummary,
    hub::{
        keys::ChannelKey,
        output::{encode::Protocol, outbox::Outbox},
    },
};
use gateway_core::model::{ClientInfo, ConnectionId, Position, SubscriptionSide, UserId};
use slab::Slab;
use std::{net::IpAddr, rc::Rc, sync::Arc};

/// One connection.
pub(crate) struct Entry {
    pub(in crate::hub) generation: u32,
    pub(in crate::hub) id: ConnectionId,
    pub(in crate::hub) protocol: Protocol,
    /// When it opened, and once it is connected, when that was. In microseconds since 1970. All who
    /// ask get the same value.
    pub(in crate::hub) since_us: u64,
    /// The client's address.
    pub(in crate::hub) address: Option<IpAddr>,
    /// Its place in the index of tokens.
    pub(in crate::hub) token_row: Option<Row>,
    pub(in crate::hub) info: Option<Arc<ClientInfo>>,
    pub(in crate::hub) outbox: Rc<Outbox>,
    pub(in crate::hub) subscriptions: Vec<Subscription>,
}

/// A connection's subscription to a channel.
pub(crate) struct Subscription {
    pub(crate) local_channel: ChannelKey,
    pub(in crate::hub) state: SubscriptionState,
    pub(in crate::hub) side: SubscriptionSide,
    pub(in crate::hub) terms: Terms,
    /// What other subscribers see of the connection, where the channel has presence or announces joins and leaves.
    pub(crate) info: Option<Arc<ClientInfo>>,
}

pub(in crate::hub) enum SubscriptionState {
    /// The channel keeps deliveries for it. The progress is absent until the first history read.
    Attaching(Option<Box<ReadProgress>>),
    /// It is the member of the channel at this index.
    Live(u32),
}

/// How much of the history an attaching connection has.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct ReadProgress {
    /// The connection has everything up to this position.
    pub(in crate::hub) at: Position,
    /// The connection goes live after it has everything up to this offset.
    pub(in crate::hub) top: u64,
}

impl Subscription {
    /// Whether the connection receives the channel's deliveries.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, SubscriptionState::Live(_))
    }
}

impl Entry {
    pub(crate) fn subscription(&mut self, local_channel: ChannelKey) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.local_channel == local_channel)
    }

    pub(crate) fn summary(&self, local_channels: &Slab<LocalChannel>) -> ConnectionSummary {
        ConnectionSummary {
            id: self.id,
            user: self.info.as_ref().map_or_else(UserId::anonymous, |info| info.user.clone()),
            channels: self
                .subscriptions
                .iter()
                .filter_map(|s| local_channels.get(s.local_channel.index()))
                .map(|local_channel| local_channel.name.clone())
                .collect(),
            since_us: self.since_us,
            address: self.address,
        }
    }
}
