//! The queue of one service, at this node.

use super::{config::QueueConfig, counters::QueueCounters};
use crate::queues::OwnerStats;
use gateway_core::model::lock;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// Longest pause between two looks for room: nobody tells when a breaker closes, or when another node owns a partition.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The queue of one service, at this node.
pub(in crate::services) struct ServiceQueue {
    pub(in crate::services) config: QueueConfig,
    pub(in crate::services) counters: QueueCounters,
    /// Signals that an instance or a target may take another delivery.
    room: Notify,
    /// Of its partitions, by number. Empty until this node wants to own them.
    stats: Mutex<Vec<Arc<OwnerStats>>>,
}

impl ServiceQueue {
    pub(in crate::services) fn new(config: QueueConfig) -> Self {
        Self { config, counters: QueueCounters::default(), room: Notify::new(), stats: Mutex::default() }
    }

    /// Lets one of those that wait for room look for it. To be called when there may be some, also by one who found some, for the next.
    pub(in crate::services) fn wake(&self) {
        self.room.notify_one();
    }

    /// Waits until there may be room.
    pub(super) async fn room(&self) {
        let _ = timeout(LOOK_AGAIN, self.room.notified()).await;
    }

    /// What the owners of its partitions count, by partition.
    pub(in crate::services) fn stats(&self) -> Vec<Arc<OwnerStats>> {
        lock(&self.stats).clone()
    }

    pub(super) fn set_stats(&self, stats: Vec<Arc<OwnerStats>>) {
        *lock(&self.stats) = stats;
    }
}
