//! Who subscribes: an [`ear`] at each master that serves slots.

use super::context::ListenerContext;
use super::subscriber_connection::SubscriberConnection;
use crate::broker::redis::servers::{
    health::HealthPart,
    topology::{Master, Topology},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A subscriber connection for each master that serves slots.
pub(crate) struct Listener(pub(crate) Arc<ListenerContext>);

/// The task at one master.
struct SubscriberTask {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens until cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (mut changes, mut tasks) = (self.0.masters.map(), BTreeMap::new());
        loop {
            let map = changes.borrow_and_update().clone();
            self.follow(map, &mut tasks, &stop).await;
            if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
                break;
            }
        }
        for (_, task) in tasks {
            task.end().await;
        }
    }

    /// Listens where this map says.
    async fn follow(&self, map: Arc<Topology>, tasks: &mut BTreeMap<Master, SubscriberTask>, stop: &CancellationToken) {
        self.0.subscriptions.rehome(map.clone());
        let serving = map.serving();
        for (master, task) in std::mem::take(tasks) {
            if serving.contains_key(&master) {
                tasks.insert(master, task);
                continue;
            }
            task.end().await;
            self.0.subscriptions.disconnected(master);
            for part in [HealthPart::Listener(master), HealthPart::Canary(master), HealthPart::Writes(master)] {
                self.0.health.forget(part);
            }
        }
        for master in serving.keys().copied() {
            if tasks.contains_key(&master) {
                continue;
            }
            let Some(connector) = self.0.masters.connector(master) else { continue };
            let (ear, stop) = (SubscriberConnection { all: self.0.clone(), master, connector }, stop.child_token());
            let task = tokio::spawn(ear.run(stop.clone()));
            tasks.insert(master, SubscriberTask { stop, task });
        }
    }
}

impl SubscriberTask {
    async fn end(self) {
        self.stop.cancel();
        // It ends at once; that it may have panicked is told by the runtime.
        let _ = self.task.await;
    }
}
