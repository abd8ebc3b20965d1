//! All connections and channels of a worker.

use super::{
    deliveries::recent::RecentBytes,
    entry::{Entry, SubscriptionState},
    local_channel::{LocalChannel, Member},
    queues::posted_queue::Sessions,
    queues::resubscribe_queue::Resubscribe,
    token_index::{Row, TokenIndex},
    wheel::Wheel,
};
use crate::{
    broker::NameHasher,
    hub::keys::{ChannelKey, ConnKey},
};
use gateway_core::model::{ChannelName, ConnectionId, RevocableClaims, Tick, UserId};
use slab::Slab;
use std::collections::{HashMap, VecDeque};

/// The state of a hub.
#[derive(Default)]
pub(crate) struct State {
    pub(in crate::hub) connections: Slab<Entry>,
    pub(in crate::hub) generation: u32,
    pub(in crate::hub) ids: HashMap<ConnectionId, u32, foldhash::quality::RandomState>,
    /// The sessions whose commands come in requests of their own.
    pub(in crate::hub) sessions: Sessions,
    pub(in crate::hub) users: HashMap<UserId, Vec<u32>, foldhash::quality::RandomState>,
    pub(in crate::hub) tokens: TokenIndex,
    pub(in crate::hub) channels: HashMap<ChannelName, ChannelKey, NameHasher>,
    pub(in crate::hub) local_channels: Slab<LocalChannel>,
    /// Channels with pending deliveries, in the order of their next turns.
    pub(in crate::hub) fan_out_queue: VecDeque<ChannelKey>,
    /// Number of pending deliveries in all channels.
    pub(in crate::hub) pending: usize,
    pub(in crate::hub) wheel: Option<Wheel<ConnKey>>,
    /// When channels with these numbers may have something to forget.
    pub(in crate::hub) channel_wheel: Option<Wheel<(ChannelKey, u64)>>,
    /// Bytes of the recent publications of all channels.
    pub(in crate::hub) recent_bytes: RecentBytes,
    /// Number of channels that no subscription needs.
    pub(in crate::hub) unused_channels: usize,
}

impl State {
    pub(crate) fn entry(&mut self, key: ConnKey) -> Option<&mut Entry> {
        self.connections.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    /// Registers a connection under the claims of its token, in place of those before.
    pub(crate) fn set_claims(&mut self, key: ConnKey, claims: Option<&RevocableClaims>) {
        let Some(row) = self.entry(key).map(|entry| entry.token_row) else { return };
        let row = match (row, claims) {
            (Some(row), Some(claims)) => {
                self.tokens.replace(row, claims);
                Some(row)
            }
            (None, Some(claims)) => Some(self.tokens.add(key.index, claims)),
            (Some(row), None) => {
                self.remove_claims(row);
                None
            }
            (None, None) => None,
        };
        if let Some(entry) = self.entry(key) {
            entry.token_row = row;
        }
    }

    /// Removes a row of the index of tokens.
    pub(in crate::hub) fn remove_claims(&mut self, row: Row) {
        let moved = self.tokens.remove(row).and_then(|owner| self.connections.get_mut(owner as usize));
        if let Some(entry) = moved {
            entry.token_row = Some(row);
        }
    }

    pub(crate) fn local_channel(&mut self, key: ChannelKey) -> Option<&mut LocalChannel> {
        self.local_channels.get_mut(key.index())
    }

    /// Adds a channel with pending deliveries to the fan-out queue, unless it is already there.
    pub(crate) fn queue_fan_out(&mut self, key: ChannelKey) {
        if let Some(local_channel) = self.local_channel(key)
            && local_channel.has_work()
            && !std::mem::replace(&mut local_channel.is_queued, true)
        {
            self.fan_out_queue.push_back(key);
        }
    }

    /// Looks at the channel at this time, or up to a second later, for what it has to forget. An earlier wake-up comes in its place.
    pub(crate) fn wake_channel_at(&mut self, at: Tick, key: ChannelKey) {
        if let (Some(local_channel), Some(wheel)) = (self.local_channels.get_mut(key.index()), &mut self.channel_wheel)
            && !std::mem::replace(&mut local_channel.has_wake_up, true)
        {
            wheel.insert(at, (key, local_channel.number));
        }
    }

    /// The live subscription of a connection to a channel.
    pub(crate) fn member(&mut self, key: ConnKey, local_channel: ChannelKey) -> Option<&Member> {
        let SubscriptionState::Live(index) = self.entry(key)?.subscription(local_channel)?.state else { return None };
        self.local_channels.get(local_channel.index())?.members.get(index as usize)
    }

    pub(crate) fn remove_channel(&mut self, key: ChannelKey) -> Option<ChannelName> {
        let local_channel = self.local_channels.try_remove(key.index())?;
        self.pending -= local_channel.pending.len();
        self.unused_channels -= usize::from(local_channel.unused_since.is_some());
        self.channels.remove(&local_channel.name);
        if self.channels.capacity() > 4 * self.channels.len() + 1024 {
            self.channels.shrink_to_fit();
        }
        Some(local_channel.name)
    }

    /// See [`LocalChannel::end_subscriptions`].
    pub(crate) fn end_subscriptions(&mut self, key: ChannelKey) -> Vec<Resubscribe> {
        let Some(local_channel) = self.local_channels.get_mut(key.index()) else { return Vec::new() };
        self.pending -= local_channel.pending.len();
        local_channel.end_subscriptions(key)
    }

    /// Frees memory after many connections have closed.
    pub(crate) fn shrink(&mut self) {
        if self.connections.is_empty() {
            self.connections.shrink_to_fit();
        }
        if self.ids.capacity() > 4 * self.ids.len() + 1024 {
            self.ids.shrink_to_fit();
            self.users.shrink_to_fit();
        }
    }
}
