//! Subscriptions whose clients have to subscribe again.

use crate::hub::keys::SlotKey;
use gateway_core::model::Tick;
use std::{cell::RefCell, collections::VecDeque};
use tokio::sync::Notify;

/// A subscription that gets nothing any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restart {
    /// The connection's index.
    pub(crate) connection: u32,
    pub(crate) slot: SlotKey,
    /// That of the slot.
    pub(crate) life: u32,
}

/// Each subscription that has ended is in one of these, once: that bounds them, and [`crate::hub::state::slot::Slot::ended`] counts them.
#[derive(Default)]
pub(crate) struct Restarts {
    pub(crate) waiting: RefCell<VecDeque<Restart>>,
    /// Those that were told, and until when they are expected back.
    pub(crate) told: RefCell<VecDeque<(Tick, Restart)>>,
    pub(crate) changed: Notify,
}

impl Restarts {
    pub(crate) fn extend(&self, restarts: impl IntoIterator<Item = Restart>) {
        self.waiting.borrow_mut().extend(restarts);
        self.changed.notify_one();
    }

    pub(crate) fn next(&self) -> Option<Restart> {
        self.waiting.borrow_mut().pop_front()
    }

    pub(crate) fn next_back(&self, now: Tick) -> Option<Restart> {
        self.told.borrow_mut().pop_front_if(|(until, _)| *until <= now).map(|(_, restart)| restart)
    }
}
