//! What nodes leave that end without a word: somebody who lives clears it away, and tells whom it concerns.

use super::remote::Remote;
use crate::broker::{Announcement, BrokerError, Left, NodeId, Nodes, Sweep};
use std::time::Duration;
use tokio::time::sleep;

/// Between two steps of a sweep, each of a thousand keys at most: for all of them it is a background noise.
const STEP: Duration = Duration::from_millis(100);
/// Before a sweep that failed is taken up again.
const RETRY: Duration = Duration::from_secs(5);

impl Remote {
    /// Clears away whoever is found dead. For good, beside the heartbeat: a large node takes longer than a lease.
    pub(super) async fn bury_all(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let mut found = self.dead.subscribe();
        while found.changed().await.is_ok() {
            let dead = found.borrow_and_update().clone();
            for id in &dead {
                if let Err(error) = self.bury(nodes, id).await {
                    // The next heartbeat finds it again.
                    tracing::warn!(node = %id.name, %error, "what a dead node left cannot be cleared away yet");
                }
            }
        }
    }

    /// Clears away what a dead node left, unless another one does, and tells those who were there with its connections.
    async fn bury(&self, nodes: &Nodes, dead: &NodeId) -> Result<(), BrokerError> {
        let mut begun = false;
        // The claim is renewed with every step, so that it lasts as long as the work, and not much longer than who does it.
        while nodes.inherit(dead, self.times.lease).await? {
            if !std::mem::replace(&mut begun, true) {
                tracing::warn!(node = %dead.name, "a node is dead: clearing away what it left");
            }
            match nodes.clear_away(dead).await? {
                Some(left) => self.tell(left).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn tell(&self, left: Vec<Left>) -> Result<(), BrokerError> {
        for Left { channel, info } in left {
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
            if !nodes.may_sweep(self.times.sweep).await.unwrap_or(false) {
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
