//! Cleans up after dead nodes: announces the leaves of their connections, removes their presence, takes over their tasks for channels, and hands over
//! what has ended, for the events about it.

use crate::broker::{Announcement, BrokerError, NodeId, NodeTask, Nodes, OrphanedPresence, RegistryKey};
use crate::cluster::{shared_cluster::SharedCluster, types::DeadNodeEntries};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

/// Pause after services accepted a part of the events, for them to grant new credit.
const CREDIT_PAUSE: Duration = Duration::from_millis(50);
/// Largest number of entries that are removed together.
const STEP: usize = 256;

impl SharedCluster {
    /// Cleans up after every node that is found dead. Never returns. Runs beside the heartbeat, because the clean-up of a large node takes longer than a
    /// lease. One node does not wait for another: events may wait for a service.
    pub(in crate::cluster) async fn clean_up_dead_nodes(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let (mut found, mut since) = (self.dead.subscribe(), HashMap::<String, Instant>::new());
        let (mut running, mut in_progress) = (FuturesUnordered::new(), HashSet::new());
        loop {
            tokio::select! {
                Some((id, result)) = running.next(), if !running.is_empty() => {
                    let (id, result): (NodeId, Result<(), BrokerError>) = (id, result);
                    in_progress.remove(&id.holder());
                    if let Err(error) = result {
                        tracing::warn!(node = %id.name, %error, "the clean-up after a dead node failed; the next heartbeat tries again");
                    }
                }
                changed = found.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let (dead, now) = (found.borrow_and_update().clone(), Instant::now());
                    since = dead.iter().map(|id| (id.holder(), since.get(&id.holder()).copied().unwrap_or(now))).collect();
                    for id in dead {
                        if in_progress.insert(id.holder()) {
                            let since = since[&id.holder()];
                            running.push(async move {
                                let result = self.clean_up(nodes, &id, since).await;
                                (id, result)
                            });
                        }
                    }
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
            if let Some(step) = nodes.presence_step(dead).await? {
                self.announce_leaves(&step.orphaned).await?;
                nodes.remove_presence_step(dead, &step).await?;
                continue;
            }
            let tasks = nodes.tasks_of(dead).await?;
            if tasks.is_empty() {
                return self.hand_over_entries(nodes, dead, since).await;
            }
            for task in tasks {
                self.take_over(nodes, dead, task).await?;
            }
        }
        Ok(())
    }

    // NL-7.3
    /// Takes over what the node had to do for a channel. If the channel has no subscribers left, this node announces that.
    async fn take_over(&self, nodes: &Nodes, dead: &NodeId, task: NodeTask) -> Result<(), BrokerError> {
        let vacant = nodes.take_over(dead, &task).await?;
        let (NodeTask::Release(channel) | NodeTask::Vacate(channel, _)) = task;
        if let Some(generation) = vacant {
            self.holds.take_over(channel, generation);
        }
        Ok(())
    }

    // NL-7.3
    /// Hands over the node's connections and subscriptions for the events about their ends, and deletes the node once all are done. The next heartbeat
    /// tries the others again.
    async fn hand_over_entries(&self, nodes: &Nodes, dead: &NodeId, since: Instant) -> Result<(), BrokerError> {
        while nodes.lock_cleanup(dead, self.timings.lease).await? {
            let entries = nodes.registered_entries(dead).await?;
            if entries.is_empty() {
                return nodes.unregister(dead).await;
            }
            let (all, (done, finished)) = (entries.len(), mpsc::channel(entries.len()));
            let batch = DeadNodeEntries { holder: dead.holder(), entries, waited: since.elapsed(), done };
            // The receiver is gone only if this node is shutting down.
            let _ = self.dead_entries.send(batch).await;
            let removed = self.remove_finished(nodes, dead, finished).await?;
            if removed == 0 {
                // Another node may have instances that accept them.
                return nodes.unlock_cleanup(dead).await;
            }
            if removed < all {
                sleep(CREDIT_PAUSE).await;
            }
        }
        Ok(())
    }

    /// Removes the entries that are done until no further one can be. Some may wait in the queue of a service. Returns their number.
    async fn remove_finished(&self, nodes: &Nodes, dead: &NodeId, mut finished: mpsc::Receiver<RegistryKey>) -> Result<usize, BrokerError> {
        let (mut some, mut removed) = (Vec::new(), 0);
        loop {
            match timeout(self.timings.lease / 3, finished.recv_many(&mut some, STEP)).await {
                Ok(0) => return Ok(removed),
                Ok(_) => {
                    nodes.unregister_entries_of(dead, &some).await?;
                    removed += some.len();
                    some.clear();
                }
                // The lock stays with this node, which has the events.
                Err(_) => drop(nodes.lock_cleanup(dead, self.timings.lease).await?),
            }
        }
    }

    // NL-7.3
    /// Announces leaves in channels that have joins and leaves. The entries are removed after that: if it breaks off, leaves are repeated and none is lost.
    pub(in crate::cluster) async fn announce_leaves(&self, orphaned: &[OrphanedPresence]) -> Result<(), BrokerError> {
        for OrphanedPresence { channel, info, .. } in orphaned {
            if self.namespaces.options(channel).is_some_and(|options| options.join_leave) {
                self.broker.announce(channel, Announcement::Leave(info.clone())).await?;
            }
        }
        Ok(())
    }
}
