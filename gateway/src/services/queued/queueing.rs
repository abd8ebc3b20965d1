//! What the queues of all services have in common, at this node.

use super::config::QueueLimits;
use crate::queues::Queues;
use gateway_core::model::{ServiceName, lock};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The store of the queues, and the end of the work with them.
pub(in crate::services) struct Queueing {
    pub(in crate::services) store: Arc<Queues>,
    pub(super) limits: QueueLimits,
    /// The deliveries in the hands of this node.
    pub(in crate::services) in_hand: TaskTracker,
    /// Cancelled when the node will leave.
    pub(in crate::services) leaving: CancellationToken,
    /// Cancelled when the node takes up no more deliveries.
    pub(in crate::services) end_of_deliveries: CancellationToken,
    /// Cancelled when the node gives up its partitions.
    pub(in crate::services) end_of_ownership: CancellationToken,
    /// What forbids the number of partitions of services.
    problems: Mutex<BTreeMap<ServiceName, String>>,
}

impl Queueing {
    pub(in crate::services) fn new(store: Arc<Queues>, limits: QueueLimits) -> Self {
        Self {
            store,
            limits,
            in_hand: TaskTracker::new(),
            leaving: CancellationToken::new(),
            end_of_deliveries: CancellationToken::new(),
            end_of_ownership: CancellationToken::new(),
            problems: Mutex::default(),
        }
    }

    /// Takes up no more deliveries. Waits until those in hand have ended, at most for this time.
    pub(in crate::services) async fn end_deliveries(&self, within: Duration) {
        self.leaving.cancel();
        self.end_of_deliveries.cancel();
        self.in_hand.close();
        let _ = timeout(within, self.in_hand.wait()).await;
    }

    /// Why the queues of this node cannot be used as the settings say.
    pub(in crate::services) fn problems(&self) -> Vec<String> {
        lock(&self.problems).values().cloned().collect()
    }

    pub(super) fn set_problem(&self, service: &ServiceName, problem: Option<String>) {
        let mut problems = lock(&self.problems);
        match problem {
            Some(problem) => drop(problems.insert(service.clone(), problem)),
            None => drop(problems.remove(service)),
        }
    }
}
