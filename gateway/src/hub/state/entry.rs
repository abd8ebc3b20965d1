//! One connection in the hub, and its subscriptions.

use super::slot::Slot;
use crate::{
    broker::mailbox::ConnectionSummary,
    hub::{keys::SlotKey, output::outbox::Outbox},
};
use gateway_core::model::{ClientInfo, ConnectionId, Position, Side, UserId};
use slab::Slab;
use std::{rc::Rc, sync::Arc, time::Duration};

/// One connection.
pub(crate) struct Entry {
    pub(in crate::hub) generation: u32,
    pub(in crate::hub) id: ConnectionId,
    pub(in crate::hub) since: Duration,
    pub(in crate::hub) info: Option<Arc<ClientInfo>>,
    pub(in crate::hub) outbox: Rc<Outbox>,
    pub(in crate::hub) subscriptions: Vec<Subscription>,
}

/// A connection's part in a channel.
pub(crate) struct Subscription {
    pub(crate) slot: SlotKey,
    pub(in crate::hub) place: Place,
    pub(in crate::hub) side: Side,
    pub(in crate::hub) join_leave: bool,
    /// How others see it, where the channel tells them.
    pub(crate) info: Option<Arc<ClientInfo>>,
}

pub(in crate::hub) enum Place {
    /// Deliveries are held back; the cursor is known once the stream was read.
    Attaching(Option<Box<Cursor>>),
    /// At this index of the slot's members.
    Live(u32),
}

/// How far an attaching connection has come.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Cursor {
    /// It has everything up to here.
    pub(in crate::hub) at: Position,
    /// And has to be read up to here at least.
    pub(in crate::hub) top: u64,
}

impl Entry {
    pub(crate) fn subscription(&mut self, slot: SlotKey) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.slot == slot)
    }

    pub(crate) fn summary(&self, slots: &Slab<Slot>, start_ms: u64) -> ConnectionSummary {
        ConnectionSummary {
            id: self.id,
            user: self.info.as_ref().map_or_else(UserId::anonymous, |info| info.user.clone()),
            channels: self.subscriptions.iter().filter_map(|s| slots.get(s.slot.index())).map(|slot| slot.name.clone()).collect(),
            since_ms: start_ms + self.since.as_millis() as u64,
        }
    }
}
