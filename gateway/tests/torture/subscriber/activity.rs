//! What the subscribers of one kind did.

use super::kind::SubscriberKind;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What the subscribers of each kind did.
#[derive(Default)]
pub(crate) struct Activities(Mutex<BTreeMap<SubscriberKind, Arc<Activity>>>);

/// What the subscribers of one kind did.
#[derive(Default)]
pub(crate) struct Activity {
    subscribers: AtomicU64,
    connections: AtomicU64,
    deliveries: AtomicU64,
    reported_losses: AtomicU64,
}

impl Activities {
    /// Adds a subscriber of this kind.
    pub(crate) fn add(&self, kind: SubscriberKind) -> Arc<Activity> {
        let activity = self.0.lock().expect("no panic").entry(kind).or_default().clone();
        activity.subscribers.fetch_add(1, Relaxed);
        activity
    }

    /// The kinds of which no subscriber got anything.
    pub(crate) fn idle(&self) -> Vec<SubscriberKind> {
        let all = self.0.lock().expect("no panic");
        all.iter().filter(|(_, activity)| activity.deliveries.load(Relaxed) == 0).map(|(kind, _)| *kind).collect()
    }
}

impl fmt::Display for Activities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<22} {:>8} {:>11} {:>10} {:>6}", "subscribers", "number", "connections", "deliveries", "reprtd")?;
        for (kind, activity) in &*self.0.lock().expect("no panic") {
            let Activity { subscribers, connections, deliveries, reported_losses } = &**activity;
            let get = |count: &AtomicU64| count.load(Relaxed);
            write!(f, "\n{:<22} {:>8} {:>11}", kind.name(), get(subscribers), get(connections))?;
            write!(f, " {:>10} {:>6}", get(deliveries), get(reported_losses))?;
        }
        Ok(())
    }
}

impl Activity {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn delivered(&self) {
        self.deliveries.fetch_add(1, Relaxed);
    }

    pub(crate) fn loss_reported(&self) {
        self.reported_losses.fetch_add(1, Relaxed);
    }
}
