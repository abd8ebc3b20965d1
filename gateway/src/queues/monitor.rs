//! Looks at all queues at intervals, for metrics.

use super::{
    operations::{QueueOperations, age_ms},
    store::QueueStore,
};
use gateway_core::{
    model::lock,
    queue::{PartitionStatus, QueueName},
};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(10);

/// What the monitor saw of a queue last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSample {
    /// Number of entries that are not acknowledged.
    pub depth: u64,
    /// Age of the oldest entry, in milliseconds; 0 without entries.
    pub oldest_age_ms: u64,
    /// Number of dead letters.
    pub dead: u64,
}

impl QueueSample {
    fn of(statuses: &[PartitionStatus]) -> Self {
        let ages = statuses.iter().filter_map(|status| Some(age_ms(status.oldest?, status.now_ms)));
        Self {
            depth: statuses.iter().map(|status| status.depth).sum(),
            oldest_age_ms: ages.max().unwrap_or(0),
            dead: statuses.iter().map(|status| status.dead).sum(),
        }
    }
}

/// Looks at all queues at intervals. If the store does not answer, the last look counts.
#[derive(Default)]
pub struct QueueMonitor {
    samples: Mutex<BTreeMap<QueueName, QueueSample>>,
}

impl QueueMonitor {
    /// Looks at all queues at intervals. Never returns.
    pub async fn run<S: QueueStore>(&self, operations: &QueueOperations<S>) {
        let mut looks = interval(INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            for queue in operations.queues() {
                if let Ok(statuses) = operations.status(queue).await {
                    lock(&self.samples).insert(queue.clone(), QueueSample::of(&statuses));
                }
            }
        }
    }

    /// What it saw last, by queue.
    pub fn samples(&self) -> Vec<(QueueName, QueueSample)> {
        lock(&self.samples).iter().map(|(queue, sample)| (queue.clone(), sample.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::queue::EntryId;

    #[test]
    fn a_sample_is_the_sum_of_the_partitions_and_their_oldest_entry() {
        let status = |depth, ms: u64, dead| PartitionStatus {
            depth,
            dead,
            oldest: (depth > 0).then_some(EntryId { ms, seq: 0 }),
            now_ms: 100,
            ..PartitionStatus::default()
        };
        let statuses = [status(2, 40, 4), status(0, 0, 5), status(3, 70, 6)];
        assert_eq!(QueueSample::of(&statuses), QueueSample { depth: 5, oldest_age_ms: 60, dead: 15 });
    }
}
