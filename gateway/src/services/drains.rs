//! Instances and targets that operators drain.

use super::{carrier::Carrier, services::Services};
use crate::cluster::{Cluster, DrainOrder, DrainPart};
use gateway_core::model::{ErrorCode, Refusal};

impl Services {
    /// Drains an instance or a target, or ends that, on this node. Returns whether this node has it.
    pub fn drain_part(&self, order: &DrainOrder) -> Result<bool, Refusal> {
        let service = self.service(&order.service)?;
        let not_found = |detail| Err(Refusal::new(ErrorCode::NotFound, detail));
        match (&service.carrier, &order.part) {
            (Carrier::Links(links), DrainPart::Instance(name)) => Ok(links.lock().set_drained(name, order.draining)),
            (Carrier::Webhook(webhook), DrainPart::Target(target)) => Ok(webhook.set_drained(*target, order.draining)),
            (Carrier::Links(_), DrainPart::Target(_)) => {
                not_found(format!("{} has links and no targets. Drain one of its instances.", service.name))
            }
            (Carrier::Webhook(_), DrainPart::Instance(_)) => {
                not_found(format!("{} has a webhook and no instances. Drain one of its targets.", service.name))
            }
        }
    }

    /// Carries out the orders that other nodes pass on. Never returns, unless the node is alone.
    pub async fn follow_drain_orders(&self, cluster: &Cluster) {
        let Some(mut orders) = cluster.drain_orders() else { return };
        while let Some((order, done)) = orders.recv().await {
            // The settings of the other node may name a service that this one does not have. The other node may have stopped waiting.
            let _ = done.send(self.drain_part(&order).unwrap_or(false));
        }
    }
}
