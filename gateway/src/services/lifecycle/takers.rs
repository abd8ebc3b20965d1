//! Which services have an event about the end of a dead node that others have not taken yet, so that they do not get it at each attempt.

use super::receipt::{Receipt, SentReceipt};
use crate::broker::RegistryKey;
use gateway_core::model::{ServiceName, Tick};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// The services that took an event.
#[derive(Default)]
pub(in crate::services) struct Takers {
    pub(in crate::services) services: Vec<ServiceName>,
    /// Receipts of the copies that they took, which may not be written yet.
    sent: Vec<SentReceipt>,
}

impl Takers {
    /// Delays the action of this receipt until the services have their copies.
    pub(in crate::services) fn hold_back(&self, receipt: &Receipt) {
        for sent in &self.sent {
            sent.hold_back(receipt);
        }
    }

    /// Adds the receipt of the copies that services took last.
    pub(in crate::services) fn add_sent(&mut self, receipt: &Receipt) {
        self.sent.push(receipt.sent());
    }
}

/// The events of one dead node that only some services have.
#[derive(Default)]
pub(in crate::services) struct PartlyTaken {
    events: HashMap<RegistryKey, Takers>,
    last_attempt: Tick,
}

impl PartlyTaken {
    /// Removes and returns who has the event about this end.
    pub(in crate::services) fn remove(&mut self, key: &RegistryKey) -> Takers {
        self.events.remove(key).unwrap_or_default()
    }

    /// Remembers who has the event about this end, up to `limit` events. Of an event without a place, services may get further copies.
    pub(in crate::services) fn remember(&mut self, key: RegistryKey, takers: Takers, limit: usize) {
        if self.events.len() < limit {
            self.events.insert(key, takers);
        }
    }
}

/// The same for all dead nodes, by their holders.
#[derive(Default)]
pub(in crate::services) struct PartlyTakenByNode(BTreeMap<String, PartlyTaken>);

impl PartlyTakenByNode {
    /// Removes and returns what is known of a node.
    pub(in crate::services) fn remove(&mut self, holder: &str) -> PartlyTaken {
        self.0.remove(holder).unwrap_or_default()
    }

    /// Remembers what is known of a node after an attempt.
    pub(in crate::services) fn remember(&mut self, holder: String, node: PartlyTaken, now: Tick) {
        if !node.events.is_empty() {
            self.0.insert(holder, PartlyTaken { last_attempt: now, ..node });
        }
    }

    /// Forgets the nodes without an attempt for the time `ttl`. Another node has sent the rest of their events.
    pub(in crate::services) fn forget_idle(&mut self, now: Tick, ttl: Duration) {
        self.0.retain(|_, node| now.since(node.last_attempt) < ttl);
    }

    #[cfg(test)]
    pub(in crate::services) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::model::ConnectionId;

    #[test]
    fn some_events_of_a_node_are_remembered_until_it_is_idle() {
        let (mut nodes, mut node) = (PartlyTakenByNode::default(), PartlyTaken::default());
        let keys: Vec<_> = (0..3).map(|_| RegistryKey::Connection(ConnectionId::random())).collect();
        for key in &keys {
            let takers = Takers { services: vec!["bot".parse().expect("valid")], ..Takers::default() };
            node.remember(key.clone(), takers, 2);
        }
        nodes.remember("n2/gen".into(), node, Tick(5));
        let mut node = nodes.remove("n2/gen");
        assert!(nodes.is_empty());
        assert_eq!(node.remove(&keys[2]).services, [], "two have a place");
        assert_eq!(node.remove(&keys[1]).services.len(), 1);
        let ttl = Duration::from_millis(10);
        nodes.remember("n2/gen".into(), node, Tick(7));
        nodes.forget_idle(Tick(16), ttl);
        assert!(!nodes.is_empty());
        nodes.forget_idle(Tick(17), ttl);
        assert!(nodes.is_empty());
    }
}
