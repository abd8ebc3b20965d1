//! Cleans up after dead nodes: announces the leaves of their connections, removes their presence, and hands their connections over for disconnect events.

use super::{shared_cluster::SharedCluster, types::DeadNodeConnections};
use crate::broker::{Announcement, BrokerError, NodeId, Nodes, OrphanedPresence};
use std::{collections::HashMap, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

/// Pause after services accepted a part of the disconnects, for them to grant new credit.
const CREDIT_PAUSE: Duration = Duration::from_millis(50);

impl SharedCluster {
    /// Cleans up after every node that is found dead. Never returns. Runs beside the heartbeat, because the clean-up of a large node takes longer than a
    /// lease.
    pub(super) async fn clean_up_dead_nodes(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let (mut found, mut since) = (self.dead.subscribe(), HashMap::new());
        while found.changed().await.is_ok() {
            let dead = found.borrow_and_update().clone();
            let now = Instant::now();
            since = dead.iter().map(|id| (id.holder(), since.get(&id.holder()).copied().unwrap_or(now))).collect();
            for id in &dead {
                if let Err(error) = self.clean_up(nodes, id, since[&id.holder()]).await {
                    tracing::warn!(node = %id.name, %error, "the clean-up after a dead node failed; the next heartbeat tries again");
                }
            }
        }
    }

    // NL-7.3
    /// Cleans up after one node, unless another node has the lock. The node was found dead at `since`.
    async fn clean_up(&self, nodes: &Nodes, dead: &NodeId, since: Instant) -> Result<(), BrokerError> {
        let mut is_logged = since.elapsed() > self.timings.lease;
        // Each step renews the lock. If this node dies during the clean-up, the lock expires after one lease, and another node can
        // continue.
        while nodes.lock_cleanup(dead, self.timings.lease).await? {
            if !std::mem::replace(&mut is_logged, true) {
                tracing::warn!(node = %dead.name, "a node is dead: cleaning up after it");
            }
            let Some(step) = nodes.presence_step(dead).await? else {
                return self.hand_over_connections(nodes, dead, since).await;
            };
            self.announce_leaves(&step.orphaned).await?;
            nodes.remove_presence_step(dead, &step).await?;
        }
        Ok(())
    }

    // NL-7.3
    /// Hands the node's connections over for disconnect events, and deletes the node once all are done. The next heartbeat tries the others again.
    async fn hand_over_connections(&self, nodes: &Nodes, dead: &NodeId, since: Instant) -> Result<(), BrokerError> {
        while nodes.lock_cleanup(dead, self.timings.lease).await? {
            let connections = nodes.registered_connections(dead).await?;
            if connections.is_empty() {
                return nodes.unregister(dead).await;
            }
            let (all, (done, finished)) = (connections.len(), oneshot::channel());
            let batch = DeadNodeConnections { holder: dead.holder(), connections, waited: since.elapsed(), done };
            // The receiver is gone only if this node is shutting down.
            let finished = if self.dead_connections.send(batch).await.is_ok() { finished.await.unwrap_or_default() } else { Vec::new() };
            nodes.unregister_connections_of(dead, &finished).await?;
            if finished.is_empty() {
                // Another node may have instances that accept them.
                return nodes.unlock_cleanup(dead).await;
            }
            if finished.len() < all {
                sleep(CREDIT_PAUSE).await;
            }
        }
        Ok(())
    }

    // NL-7.3
    /// Announces leaves in channels that have joins and leaves. The entries are removed after that: if it breaks off, leaves are repeated and none is lost.
    pub(super) async fn announce_leaves(&self, orphaned: &[OrphanedPresence]) -> Result<(), BrokerError> {
        for OrphanedPresence { channel, info, .. } in orphaned {
            if self.namespaces.options(channel).is_some_and(|options| options.join_leave) {
                self.broker.announce(channel, Announcement::Leave(info.clone())).await?;
            }
        }
        Ok(())
    }
}
