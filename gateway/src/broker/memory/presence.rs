//! The presence in one channel.

use gateway_core::model::{ClientInfo, ConnectionId, PresenceStats, UserId};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

type Hasher = foldhash::fast::RandomState;

/// Connections by id, and the number of connections of each user. All anonymous connections count as one user.
#[derive(Debug, Default)]
pub(super) struct Presence {
    clients: HashMap<ConnectionId, Arc<ClientInfo>, Hasher>,
    users: HashMap<UserId, u32, Hasher>,
}

impl Presence {
    /// Adds a connection, or replaces its info.
    pub(super) fn add(&mut self, info: Arc<ClientInfo>) {
        *self.users.entry(info.user.clone()).or_default() += 1;
        if let Some(before) = self.clients.insert(info.client, info) {
            self.forget_one_of(&before.user);
        }
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) {
        if let Some(info) = self.clients.remove(&connection) {
            self.forget_one_of(&info.user);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub(super) fn list(&self, limit: usize) -> Vec<Arc<ClientInfo>> {
        self.clients.values().take(limit).cloned().collect()
    }

    pub(super) fn stats(&self) -> PresenceStats {
        PresenceStats { clients: self.clients.len(), users: self.users.len() }
    }

    fn forget_one_of(&mut self, user: &UserId) {
        if let Entry::Occupied(mut count) = self.users.entry(user.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
