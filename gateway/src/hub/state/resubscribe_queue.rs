//! Subscriptions whose clients have to subscribe again.

use crate::hub::keys::SlotKey;
use gateway_core::model::Tick;
use std::{cell::RefCell, collections::VecDeque};
use tokio::sync::Notify;

/// A subscription that gets nothing any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resubscribe {
    /// The connection's index.
    pub(crate) connection: u32,
    pub(crate) slot: SlotKey,
    /// That of the slot.
    pub(crate) life: u32,
}

/// Each subscription that has ended is in one of these, once: that bounds them, and [`crate::hub::state::slot::Slot::ended`] counts them.
#[derive(Default)]
pub(crate) struct ResubscribeQueue {
    pub(crate) waiting: RefCell<VecDeque<Resubscribe>>,
    /// Those that were told, and until when they are expected back.
    pub(crate) told: RefCell<VecDeque<(Tick, Resubscribe)>>,
    pub(crate) changed: Notify,
}

impl ResubscribeQueue {
    pub(crate) fn extend(&self, restarts: impl IntoIterator<Item = Resubscribe>) {
        self.waiting.borrow_mut().extend(restarts);
        self.changed.notify_one();
    }

    pub(crate) fn next(&self) -> Option<Resubscribe> {
        self.waiting.borrow_mut().pop_front()
    }

    pub(crate) fn next_back(&self, now: Tick) -> Option<Resubscribe> {
        self.told.borrow_mut().pop_front_if(|(until, _)| *until <= now).map(|(_, restart)| restart)
    }
}
