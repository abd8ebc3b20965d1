//! Connections that the hub has to add to the connection registry, or to remove from it.

use crate::{broker::RegistryKey, hub::keys::ConnKey};
use gateway_core::model::ConnectionId;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};
use tokio::sync::{Notify, mpsc};

/// Number of connections that the hub adds, removes or reminds together.
pub(crate) const CHUNK: usize = 256;

/// Pending changes: one for each open connection, and one for each connection that has closed since the last successful write.
#[derive(Default)]
pub(crate) struct RegistryQueue {
    pub(crate) is_enabled: Cell<bool>,
    /// Connections to add, and what follows for each.
    pub(crate) to_add: RefCell<HashMap<ConnKey, AfterRegistration, foldhash::quality::RandomState>>,
    /// Connections that are in the registry, or that the hub is adding.
    pub(crate) added: RefCell<HashSet<ConnectionId, foldhash::quality::RandomState>>,
    pub(crate) to_remove: RefCell<Vec<RegistryKey>>,
    pub(crate) removals: Removals,
    pub(crate) changed: Notify,
    /// Connections with lifecycle events that services have not received.
    pub(crate) unreported: RefCell<HashSet<ConnKey, foldhash::quality::RandomState>>,
    pub(crate) reports_due: Notify,
}

/// Entries whose ends services know, from any thread. Each was in the registry, which bounds them.
pub(crate) struct Removals {
    pub(crate) sender: mpsc::UnboundedSender<RegistryKey>,
    /// Until the hub runs.
    pub(crate) receiver: RefCell<Option<mpsc::UnboundedReceiver<RegistryKey>>>,
}

impl Default for Removals {
    #[expect(clippy::disallowed_methods, reason = "a message is an entry of the registry, which connections and their subscriptions bound")]
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver: RefCell::new(Some(receiver)) }
    }
}

/// What follows once an entry is in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRegistration {
    /// The connection receives a notice.
    Notify,
    Nothing,
}

impl RegistryQueue {
    pub(crate) fn join(&self, key: ConnKey, after: AfterRegistration) {
        let mut to_add = self.to_add.borrow_mut();
        let waiting = to_add.entry(key).or_insert(after);
        if after == AfterRegistration::Notify {
            *waiting = after;
        }
        self.changed.notify_one();
    }

    /// Forgets a closed connection that the hub has not begun to add.
    pub(crate) fn leave(&self, key: ConnKey) {
        if self.is_enabled.get() {
            self.to_add.borrow_mut().remove(&key);
            self.unreported.borrow_mut().remove(&key);
        }
    }

    /// Queues an entry for removal, unless the hub never began to add it.
    pub(crate) fn remove(&self, key: RegistryKey) {
        if let RegistryKey::Connection(connection) = &key
            && !self.added.borrow_mut().remove(connection)
        {
            return;
        }
        self.to_remove.borrow_mut().push(key);
        self.changed.notify_one();
    }

    pub(crate) fn next_to_add(&self) -> Vec<(ConnKey, AfterRegistration)> {
        let mut to_add = self.to_add.borrow_mut();
        // Any order: no entry depends on another.
        let group: Vec<_> = to_add.iter().take(CHUNK).map(|(key, after)| (*key, *after)).collect();
        for (key, _) in &group {
            to_add.remove(key);
        }
        if to_add.is_empty() {
            to_add.shrink_to(CHUNK);
        }
        group
    }

    pub(crate) fn next_to_remove(&self) -> Vec<RegistryKey> {
        let mut to_remove = self.to_remove.borrow_mut();
        let rest = to_remove.len().saturating_sub(CHUNK);
        let group = to_remove.split_off(rest);
        if to_remove.is_empty() {
            to_remove.shrink_to(CHUNK);
        }
        group
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
    fn a_connection_that_closes_before_it_is_added_needs_no_change() {
        let registry_queue = registry_queue();
        registry_queue.join(key(1), AfterRegistration::Notify);
        registry_queue.leave(key(1));
        registry_queue.remove(RegistryKey::Connection(ConnectionId::random()));
        assert_eq!((registry_queue.next_to_add(), registry_queue.next_to_remove()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn an_added_connection_is_removed_once_and_in_groups() {
        let (registry_queue, ids) = (registry_queue(), (0..=2 * CHUNK).map(|_| ConnectionId::random()).collect::<Vec<_>>());
        registry_queue.added.borrow_mut().extend(&ids);
        for id in ids.iter().chain(&ids) {
            registry_queue.remove(RegistryKey::Connection(*id));
        }
        let groups: Vec<_> = std::iter::from_fn(|| Some(registry_queue.next_to_remove()).filter(|ids| !ids.is_empty())).collect();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [CHUNK, CHUNK, 1]);
        assert_eq!(groups.concat().into_iter().collect::<HashSet<_>>(), ids.into_iter().map(RegistryKey::Connection).collect());
    }

    #[test]
    fn a_requested_notice_stays_requested() {
        let registry_queue = registry_queue();
        for (index, after) in [(1, AfterRegistration::Notify), (1, AfterRegistration::Nothing), (2, AfterRegistration::Nothing)] {
            registry_queue.join(key(index), after);
        }
        let mut group = registry_queue.next_to_add();
        group.sort_by_key(|(key, _)| key.index);
        assert_eq!(group, [(key(1), AfterRegistration::Notify), (key(2), AfterRegistration::Nothing)]);
        assert_eq!(registry_queue.next_to_add(), []);
    }
}
