//! What nodes leave that end without a word: somebody who lives clears it away, and tells whom it concerns.

use super::{remote::Remote, types::Bereft};
use crate::broker::{Announcement, BrokerError, NodeId, Nodes, OrphanedPresence, Sweep};
use std::{collections::HashMap, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

/// Between two steps of a sweep, each of a thousand keys at most: for all of them it is a background noise.
const STEP: Duration = Duration::from_millis(100);
/// Before services that took some of what a dead node left are offered the rest: they give credit anew meanwhile.
const BREATH: Duration = Duration::from_millis(50);
/// Before a sweep that failed is taken up again.
const RETRY: Duration = Duration::from_secs(5);

impl Remote {
    /// Clears away whoever is found dead. For good, beside the heartbeat: a large node takes longer than a lease.
    pub(super) async fn bury_all(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let (mut found, mut since) = (self.dead.subscribe(), HashMap::new());
        while found.changed().await.is_ok() {
            let dead = found.borrow_and_update().clone();
            let now = Instant::now();
            since = dead.iter().map(|id| (id.holder(), since.get(&id.holder()).copied().unwrap_or(now))).collect();
            for id in &dead {
                if let Err(error) = self.bury(nodes, id, since[&id.holder()]).await {
                    // The next heartbeat finds it again.
                    tracing::warn!(node = %id.name, %error, "what a dead node left cannot be cleared away yet");
                }
            }
        }
    }

    /// Clears away what a dead node left, unless another one does, and tells those who were there with its connections. It was found dead at `since`.
    async fn bury(&self, nodes: &Nodes, dead: &NodeId, since: Instant) -> Result<(), BrokerError> {
        let mut begun = since.elapsed() > self.times.lease;
        // The claim is renewed with every step, so that it lasts as long as the work, and not much longer than who does it.
        while nodes.lock_cleanup(dead, self.times.lease).await? {
            if !std::mem::replace(&mut begun, true) {
                tracing::warn!(node = %dead.name, "a node is dead: clearing away what it left");
            }
            match nodes.remove_presence_step(dead).await? {
                Some(left) => self.tell(left).await?,
                None => return self.report(nodes, dead, since).await,
            }
        }
        Ok(())
    }

    /// Has services told whose connections ended, and forgets the node once they have heard of all. What they do not take comes again with the next heartbeat.
    async fn report(&self, nodes: &Nodes, dead: &NodeId, since: Instant) -> Result<(), BrokerError> {
        while nodes.lock_cleanup(dead, self.times.lease).await? {
            let connections = nodes.registered_connections(dead).await?;
            if connections.is_empty() {
                return nodes.forget(dead).await;
            }
            let (all, (done, told)) = (connections.len(), oneshot::channel());
            let bereft = Bereft { holder: dead.holder(), connections, waited: since.elapsed(), done };
            // Where nobody tells services any more, this node is about to end.
            let told = if self.bereft.send(bereft).await.is_ok() { told.await.unwrap_or_default() } else { Vec::new() };
            nodes.unregister_connections_of(dead, &told).await?;
            if told.is_empty() {
                // Another node may have services that take them.
                return nodes.unlock_cleanup(dead).await;
            }
            if told.len() < all {
                sleep(BREATH).await;
            }
        }
        Ok(())
    }

    async fn tell(&self, left: Vec<OrphanedPresence>) -> Result<(), BrokerError> {
        for OrphanedPresence { channel, info } in left {
            if self.namespaces.options(&channel).is_some_and(|options| options.join_leave) {
                self.broker.announce(&channel, Announcement::Leave(info)).await?;
            }
        }
        Ok(())
    }

    /// Looks from time to time for those who are present for a node that nobody knows any more. For good; of all nodes one does it.
    pub(super) async fn sweep_all(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        loop {
            // Nodes that start together do not ask together.
            sleep(self.times.sweep.mul_f64(rand::random_range(0.1..0.2))).await;
            if !nodes.lock_sweep(self.times.sweep).await.unwrap_or(false) {
                continue;
            }
            let mut sweep = Sweep::default();
            while !sweep.is_over() {
                let pause = match self.sweep_some(nodes, &mut sweep).await {
                    Ok(()) => STEP,
                    Err(error) => {
                        tracing::warn!(%error, "presence cannot be swept yet");
                        RETRY
                    }
                };
                sleep(pause).await;
            }
        }
    }

    async fn sweep_some(&self, nodes: &Nodes, sweep: &mut Sweep) -> Result<(), BrokerError> {
        let left = nodes.sweep(sweep).await?;
        if !left.is_empty() {
            tracing::warn!(connections = left.len(), "taken out of presence: their node is gone, and left them behind");
        }
        self.tell(left).await
    }
}
