//! Who subscribes: an [`ear`] at each master that serves slots.

mod canary;
mod ear;
mod line;

use super::{
    audit::Audit,
    health::{Health, Part},
    keys::Keys,
    lane::Lane,
    masters::Masters,
    names::Names,
    stats::Counters,
    subscriptions::Subscriptions,
    topology::{Master, Topology},
};
use ear::Ear;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// After so many pauses between canaries a connection has delivered, or was found not to: one pause, two for the canary's return, one for the
/// channels to be subscribed to anew.
pub(super) const PROVEN: u32 = 4;

/// See the module.
pub(super) struct Listener {
    pub(super) masters: Arc<Masters>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) audit: Arc<Audit>,
    pub(super) names: Arc<Names>,
    pub(super) keys: Keys,
    pub(super) health: Arc<Health>,
    pub(super) counters: Arc<Counters>,
    /// The canary's name in the cluster, and its way to Redis.
    pub(super) node: Arc<str>,
    pub(super) lane: Arc<Lane>,
    /// Between canaries.
    pub(super) canary: Duration,
    /// For an answer.
    pub(super) patience: Duration,
}

/// The task at one master.
struct Seat {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens until cancelled.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (mut changes, mut seats) = (self.masters.map(), BTreeMap::new());
        loop {
            let map = changes.borrow_and_update().clone();
            self.follow(map, &mut seats, &stop).await;
            if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
                break;
            }
        }
        for (_, seat) in seats {
            seat.end().await;
        }
    }

    /// Listens where this map says.
    async fn follow(self: &Arc<Self>, map: Arc<Topology>, seats: &mut BTreeMap<Master, Seat>, stop: &CancellationToken) {
        self.subscriptions.rehome(map.clone());
        let serving = map.serving();
        for (master, seat) in std::mem::take(seats) {
            if serving.contains_key(&master) {
                seats.insert(master, seat);
                continue;
            }
            seat.end().await;
            self.subscriptions.disconnected(master);
            for part in [Part::Listener(master), Part::Canary(master)] {
                self.health.forget(part);
            }
        }
        for master in serving.keys().copied() {
            if seats.contains_key(&master) {
                continue;
            }
            let Some(connector) = self.masters.connector(master) else { continue };
            let (ear, stop) = (Ear { all: self.clone(), master, connector }, stop.child_token());
            let task = tokio::spawn(ear.run(stop.clone()));
            seats.insert(master, Seat { stop, task });
        }
    }
}

impl Seat {
    async fn end(self) {
        self.stop.cancel();
        // It ends at once; that it may have panicked is told by the runtime.
        let _ = self.task.await;
    }
}
