//! The links that can carry publications, and the choice of a link for a channel.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

/// Identifies one connected link. An id is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::client::link) struct LinkId(pub(in super::super) u64);

/// A link as the publish queue sees it.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) node: String,
    /// Maximum number of unacknowledged publications.
    pub(super) window: usize,
    /// Ids of unacknowledged publications. An expired publication stays until it is answered or the link is lost.
    pub(super) in_flight: HashSet<u64>,
    pub(super) draining: bool,
}

impl LinkState {
    fn has_room(&self) -> bool {
        self.in_flight.len() < self.window
    }
}

/// The link for a channel, by rendezvous hashing over the nodes: if a node joins or leaves, only its own channels move. Returns `None` if
/// the window of that link is full.
pub(super) fn link_for(links: &BTreeMap<LinkId, LinkState>, channel: &str) -> Option<LinkId> {
    let open = links.iter().filter(|(_, link)| !link.draining);
    let (id, link) = open.max_by_key(|(_, link)| rendezvous_score(&link.node, channel))?;
    link.has_room().then_some(*id)
}

fn rendezvous_score(node: &str, channel: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (node, channel).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_channels_of_a_removed_node_move() {
        let links = |nodes: &[u64]| -> BTreeMap<LinkId, LinkState> {
            let link = |n: &u64| LinkState { node: format!("node-{n}"), window: 1, in_flight: HashSet::new(), draining: false };
            nodes.iter().map(|n| (LinkId(*n), link(n))).collect()
        };
        let (three, two) = (links(&[1, 2, 3]), links(&[1, 2]));
        for n in 0..300 {
            let channel = format!("chat:{n}");
            let (before, after) = (link_for(&three, &channel), link_for(&two, &channel));
            assert!(before == Some(LinkId(3)) || before == after);
        }
    }
}
