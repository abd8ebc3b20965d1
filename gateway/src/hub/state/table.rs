//! All connections and channels of a worker.

use super::{
    entry::{Entry, SubscriptionState},
    resubscribe_queue::Resubscribe,
    slot::{Member, Slot},
    wheel::Wheel,
};
use crate::{
    broker::NameHasher,
    hub::keys::{ConnKey, SlotKey},
};
use gateway_core::model::{ChannelName, ConnectionId, UserId};
use slab::Slab;
use std::collections::{HashMap, VecDeque};

/// The state of a hub.
#[derive(Default)]
pub(crate) struct State {
    pub(in crate::hub) connections: Slab<Entry>,
    pub(in crate::hub) generation: u32,
    pub(in crate::hub) ids: HashMap<ConnectionId, u32, foldhash::quality::RandomState>,
    pub(in crate::hub) users: HashMap<UserId, Vec<u32>, foldhash::quality::RandomState>,
    pub(in crate::hub) channels: HashMap<ChannelName, SlotKey, NameHasher>,
    pub(in crate::hub) slots: Slab<Slot>,
    /// Channels with pending deliveries, in the order of their next turns.
    pub(in crate::hub) fan_out_queue: VecDeque<SlotKey>,
    /// Number of pending deliveries in all slots.
    pub(in crate::hub) pending: usize,
    pub(in crate::hub) wheel: Option<Wheel<ConnKey>>,
}

impl State {
    pub(crate) fn entry(&mut self, key: ConnKey) -> Option<&mut Entry> {
        self.connections.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    pub(crate) fn slot(&mut self, key: SlotKey) -> Option<&mut Slot> {
        self.slots.get_mut(key.index())
    }

    /// Adds a channel with pending deliveries to the fan-out queue, unless it is already there.
    pub(crate) fn queue_fan_out(&mut self, key: SlotKey) {
        if let Some(slot) = self.slot(key)
            && slot.has_work()
            && !std::mem::replace(&mut slot.is_queued, true)
        {
            self.fan_out_queue.push_back(key);
        }
    }

    /// The live subscription of a connection to a channel.
    pub(crate) fn member(&mut self, key: ConnKey, slot: SlotKey) -> Option<&Member> {
        let SubscriptionState::Live(index) = self.entry(key)?.subscription(slot)?.state else { return None };
        self.slots.get(slot.index())?.members.get(index as usize)
    }

    pub(crate) fn remove_slot(&mut self, key: SlotKey) -> Option<ChannelName> {
        let slot = self.slots.try_remove(key.index())?;
        self.pending -= slot.pending.len();
        self.channels.remove(&slot.name);
        if self.channels.capacity() > 4 * self.channels.len() + 1024 {
            self.channels.shrink_to_fit();
        }
        Some(slot.name)
    }

    /// See [`Slot::end_subscriptions`].
    pub(crate) fn end_subscriptions(&mut self, key: SlotKey) -> Vec<Resubscribe> {
        let Some(slot) = self.slots.get_mut(key.index()) else { return Vec::new() };
        self.pending -= slot.pending.len();
        slot.end_subscriptions(key)
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
