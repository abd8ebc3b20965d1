//! Connections whose revocations have to be looked up.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};
use tokio::sync::Notify;

/// What the worker has to look up.
#[derive(Default)]
pub(in crate::hub) struct RevocationChecks {
    all: Cell<bool>,
    /// Connections with a new token, or one that was not checked, by their index: at most all of them.
    renewed: RefCell<BTreeSet<u32>>,
    wake: Notify,
}

impl RevocationChecks {
    /// Every connection has to be checked.
    pub(in crate::hub) fn check_all(&self) {
        self.all.set(true);
        self.wake.notify_one();
    }

    /// This connection has to be checked.
    pub(in crate::hub) fn check(&self, connection: u32) {
        self.renewed.borrow_mut().insert(connection);
        self.wake.notify_one();
    }

    /// Waits for something to check.
    pub(in crate::hub) async fn wanted(&self) {
        self.wake.notified().await;
    }

    /// Whether all connections have to be checked, and otherwise which.
    pub(in crate::hub) fn take(&self) -> (bool, BTreeSet<u32>) {
        (self.all.take(), self.renewed.take())
    }
}
