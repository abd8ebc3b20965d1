//! Connections that have to be entered into the connection registry, or removed from it.

use crate::hub::keys::ConnKey;
use gateway_core::model::ConnectionId;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};
use tokio::sync::Notify;

/// Connections that are entered or struck out together.
pub(crate) const STEP: usize = 256;

/// Changes that wait: for each connection here one, and one for each that was here when the store was last heard of.
#[derive(Default)]
pub(crate) struct RegistryQueue {
    pub(crate) is_enabled: Cell<bool>,
    /// To be entered, and what then.
    pub(crate) to_add: RefCell<HashMap<ConnKey, Then, foldhash::quality::RandomState>>,
    /// Entered, or about to be.
    pub(crate) added: RefCell<HashSet<ConnectionId, foldhash::quality::RandomState>>,
    /// To be struck out.
    pub(crate) gone: RefCell<Vec<ConnectionId>>,
    pub(crate) changed: Notify,
    /// To be reminded of what services have not heard.
    pub(crate) unreported: RefCell<HashSet<ConnKey, foldhash::quality::RandomState>>,
    pub(crate) report_again: Notify,
}

/// What follows when a connection is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is told.
    Tell,
    Nothing,
}

impl RegistryQueue {
    pub(crate) fn join(&self, key: ConnKey, then: Then) {
        let mut to_add = self.to_add.borrow_mut();
        let waits = to_add.entry(key).or_insert(then);
        if then == Then::Tell {
            *waits = then;
        }
        self.changed.notify_one();
    }

    /// The connection is here no more. One that was not entered need not be struck out.
    pub(crate) fn leave(&self, key: ConnKey, id: ConnectionId) {
        if !self.is_enabled.get() {
            return;
        }
        self.to_add.borrow_mut().remove(&key);
        self.unreported.borrow_mut().remove(&key);
        if self.added.borrow_mut().remove(&id) {
            self.gone.borrow_mut().push(id);
            self.changed.notify_one();
        }
    }

    pub(crate) fn next_to_add(&self) -> Vec<(ConnKey, Then)> {
        let mut to_add = self.to_add.borrow_mut();
        // Any order: no entry depends on another.
        let some: Vec<_> = to_add.iter().take(STEP).map(|(key, then)| (*key, *then)).collect();
        for (key, _) in &some {
            to_add.remove(key);
        }
        if to_add.is_empty() {
            to_add.shrink_to(STEP);
        }
        some
    }

    pub(crate) fn next_to_remove(&self) -> Vec<ConnectionId> {
        let mut gone = self.gone.borrow_mut();
        let rest = gone.len().saturating_sub(STEP);
        let some = gone.split_off(rest);
        if gone.is_empty() {
            gone.shrink_to(STEP);
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry_queue() -> RegistryQueue {
        let registry_queue = RegistryQueue::default();
        registry_queue.is_enabled.set(true);
        registry_queue
    }

    fn key(index: u32) -> ConnKey {
        ConnKey { index, generation: 1 }
    }

    #[test]
    fn who_comes_and_goes_before_it_is_entered_leaves_nothing_to_do() {
        let registry_queue = registry_queue();
        registry_queue.join(key(1), Then::Tell);
        registry_queue.leave(key(1), ConnectionId::random());
        assert_eq!((registry_queue.next_to_add(), registry_queue.next_to_remove()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn who_was_entered_is_struck_out_once_and_many_in_steps() {
        let (registry_queue, ids) = (registry_queue(), (0..=2 * STEP).map(|_| ConnectionId::random()).collect::<Vec<_>>());
        registry_queue.added.borrow_mut().extend(&ids);
        for id in ids.iter().chain(&ids) {
            registry_queue.leave(key(1), *id);
        }
        let steps: Vec<_> = std::iter::from_fn(|| Some(registry_queue.next_to_remove()).filter(|gone| !gone.is_empty())).collect();
        assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [STEP, STEP, 1]);
        assert_eq!(steps.concat().into_iter().collect::<HashSet<_>>(), ids.into_iter().collect());
    }

    #[test]
    fn who_waits_to_be_told_is_told_whatever_else_is_asked() {
        let registry_queue = registry_queue();
        for (index, then) in [(1, Then::Tell), (1, Then::Nothing), (2, Then::Nothing)] {
            registry_queue.join(key(index), then);
        }
        let mut some = registry_queue.next_to_add();
        some.sort_by_key(|(key, _)| key.index);
        assert_eq!(some, [(key(1), Then::Tell), (key(2), Then::Nothing)]);
        assert_eq!(registry_queue.next_to_add(), []);
    }
}
