//! Moves of slots between masters.

use super::cluster::Cluster;

/// Keys that move together.
const TOGETHER: usize = 100;

impl Cluster {
    /// Gives a slot to another master than served it when the cluster was settled last, key by key. `halfway` comes between the announcement and the first key.
    pub async fn move_slot(&self, slot: u16, to: usize, halfway: impl Future) {
        self.announce_move(slot, to).await;
        halfway.await;
        while self.move_keys(slot, to, TOGETHER).await > 0 {}
        let number = slot.to_string();
        // The new master first: if the others learnt it from the old one, nobody would serve the slot until then.
        for member in [to, self.owner(slot)] {
            self.members[member].command(&["CLUSTER", "SETSLOT", &number, "NODE", &self.ids[to]]).await;
        }
    }

    /// A slot is on the move from now on.
    pub async fn announce_move(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        let number = slot.to_string();
        self.members[to].command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &self.ids[from]]).await;
        self.members[from].command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &self.ids[to]]).await;
    }

    /// Moves so many keys, in place of what an unfinished move left there. Answers how many there were.
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
