//! All connections and channels of a worker.

use super::{
    entry::{Entry, Place},
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

/// See the module.
#[derive(Default)]
pub(crate) struct State {
    pub(in crate::hub) connections: Slab<Entry>,
    pub(in crate::hub) generation: u32,
    pub(in crate::hub) ids: HashMap<ConnectionId, u32, foldhash::quality::RandomState>,
    pub(in crate::hub) users: HashMap<UserId, Vec<u32>, foldhash::quality::RandomState>,
    pub(in crate::hub) channels: HashMap<ChannelName, SlotKey, NameHasher>,
    pub(in crate::hub) slots: Slab<Slot>,
    /// Channels that wait for their turn of the fan-out.
    pub(in crate::hub) line: VecDeque<SlotKey>,
    /// Deliveries that wait in all slots.
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

    /// Puts a channel in line for its turn, once.
    pub(crate) fn queue(&mut self, key: SlotKey) {
        if let Some(slot) = self.slot(key)
            && slot.has_work()
            && !std::mem::replace(&mut slot.is_queued, true)
        {
            self.line.push_back(key);
        }
    }

    /// A connection's part in the fan-out of a channel.
    pub(crate) fn member(&mut self, key: ConnKey, slot: SlotKey) -> Option<&Member> {
        let Place::Live(index) = self.entry(key)?.subscription(slot)?.place else { return None };
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

    /// See [`Slot::end_all`].
    pub(crate) fn end_all(&mut self, key: SlotKey) -> Vec<Resubscribe> {
        let Some(slot) = self.slots.get_mut(key.index()) else { return Vec::new() };
        self.pending -= slot.pending.len();
        slot.end_all(key)
    }

    /// Gives memory back after a crowd has left.
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
