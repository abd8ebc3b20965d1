//! Moves of slots between masters.

use super::cluster::Cluster;

/// Number of keys that one command moves.
const TOGETHER: usize = 100;

impl Cluster {
    /// Moves a slot from its master to the master `to`. `halfway` runs after the move is announced and before the first key moves. The
    /// slot's master is the one that served it when the cluster was last settled.
    pub async fn move_slot(&self, slot: u16, to: usize, halfway: impl Future) {
        self.announce_move(slot, to).await;
        halfway.await;
        while self.move_keys(slot, to, TOGETHER).await > 0 {}
        let number = slot.to_string();
        // The new master must be first. If the old one were first, no master would serve the slot until the new one follows.
        for member in [to, self.owner(slot)] {
            self.members[member].command(&["CLUSTER", "SETSLOT", &number, "NODE", &self.ids[to]]).await;
        }
    }

    /// Announces the move of a slot to its old and its new master, but moves no key.
    pub async fn announce_move(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        let number = slot.to_string();
        self.members[to].command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &self.ids[from]]).await;
        self.members[from].command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &self.ids[to]]).await;
    }

    /// Moves at most `most` keys of the slot, and replaces keys that an unfinished move left at the new master. Returns how many keys it
    /// moved.
    pub async fn move_keys(&self, slot: u16, to: usize, most: usize) -> usize {
        let (from, address) = (&self.members[self.owner(slot)], self.members[to].address());
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]).await.texts();
        if !keys.is_empty() {
            let (host, port) = (address.ip().to_string(), address.port().to_string());
            let mut migrate = vec!["MIGRATE", &host, &port, "", "0", "10000", "REPLACE", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            from.command(&migrate).await;
        }
        keys.len()
    }
}
