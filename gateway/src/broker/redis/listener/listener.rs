//! The listener: it runs one subscriber connection for each master that serves slots.

use super::context::ListenerContext;
use super::subscriber_connection::SubscriberConnection;
use crate::broker::redis::servers::{
    health::HealthPart,
    topology::{Master, Topology},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Runs one subscriber connection for each master that serves slots.
pub(crate) struct Listener(pub(crate) Arc<ListenerContext>);

/// The task of one subscriber connection.
struct SubscriberTask {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    /// Runs until cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (mut changes, mut tasks) = (self.0.masters.watch_topology(), BTreeMap::new());
        loop {
            let topology = changes.borrow_and_update().clone();
            self.apply_topology(topology, &mut tasks, &stop).await;
            if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
                break;
            }
        }
        for (_, task) in tasks {
            task.end().await;
        }
    }

    /// Starts and stops tasks so that each master that serves slots has one.
    async fn apply_topology(&self, topology: Arc<Topology>, tasks: &mut BTreeMap<Master, SubscriberTask>, stop: &CancellationToken) {
        self.0.subscriptions.apply_topology(topology.clone());
        let serving = topology.serving();
        for (master, task) in std::mem::take(tasks) {
            if serving.contains_key(&master) {
                tasks.insert(master, task);
                continue;
            }
            task.end().await;
            self.0.subscriptions.disconnected(master);
            for part in [HealthPart::Subscriber(master), HealthPart::Canary(master), HealthPart::Writes(master)] {
                self.0.health.remove(part);
            }
        }
        for master in serving.keys().copied() {
            if tasks.contains_key(&master) {
                continue;
            }
            let Some(connector) = self.0.masters.connector(master) else { continue };
            let (connection, stop) = (SubscriberConnection { context: self.0.clone(), master, connector }, stop.child_token());
            let task = tokio::spawn(connection.run(stop.clone()));
            tasks.insert(master, SubscriberTask { stop, task });
        }
    }
}

impl SubscriberTask {
    async fn end(self) {
        self.stop.cancel();
        // The task was cancelled, so it ends at once. The runtime reports a panic.
        let _ = self.task.await;
    }
}
