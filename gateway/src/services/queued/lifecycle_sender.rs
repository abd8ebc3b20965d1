//! Stores the lifecycle events of one service in its queue.

use super::{
    super::{
        counters::Count,
        lifecycle::{pauses::Pauses, queue::Fate},
        service::Service,
        services::Services,
    },
    counters::EventResult,
    enqueue::enqueue,
    event,
    queueing::Queueing,
    service_queue::ServiceQueue,
};
use crate::{broker::BrokerError, services::Lifecycle};
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;

/// Pause after the first attempt that failed. Each further pause is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Services {
    /// Stores the events that wait for a service, until the node stops and none waits. What waits has no time limit, but `lifecycle.queue_events` places.
    pub(super) async fn store_lifecycle_events(self: Arc<Self>, service: Arc<Service>) {
        let (Some(queueing), Some(queue)) = (&self.queueing, &service.queue) else { return };
        let work = self.store_batches(queueing, &service, queue);
        tokio::select! {
            biased;
            () = work => {}
            () = self.node_is_over() => {
                // They stay in the registry, if they are there, so that another node sends them.
                self.counters.add_many(Count::LifecycleStopped, service.outlet.queue().len() as u64);
            }
        }
    }

    async fn node_is_over(&self) {
        self.closing.cancelled().await;
        sleep(self.links.close_timeout).await;
    }

    async fn store_batches(&self, queueing: &Queueing, service: &Service, queue: &ServiceQueue) {
        let mut pauses = Pauses::new(FIRST_PAUSE..=LONGEST_PAUSE);
        loop {
            let batch = service.outlet.queue().batch();
            if batch.is_empty() {
                tokio::select! {
                    () = service.outlet.arrived() => {}
                    () = self.closing.cancelled() => return,
                }
                continue;
            }
            let whole = batch.len();
            let stored = store_batch(queueing, service, queue, batch).await;
            let number = stored.len();
            remove(service, &stored);
            self.counters.add_many(Count::LifecycleSent, number as u64);
            if number == whole {
                pauses.reset();
            } else {
                pauses.pause().await;
            }
        }
    }
}

/// Stores the events, those of one subject one after the other, so that they stay in order even if one fails. Returns the places of those that are stored.
async fn store_batch(queueing: &Queueing, service: &Service, queue: &ServiceQueue, batch: Vec<Lifecycle>) -> BTreeSet<usize> {
    let mut by_subject: BTreeMap<String, Vec<(usize, Lifecycle)>> = BTreeMap::new();
    for (place, event) in batch.into_iter().enumerate() {
        by_subject.entry(event.subject()).or_default().push((place, event));
    }
    let each = by_subject.into_values().map(async |events| {
        let mut stored = Vec::with_capacity(events.len());
        for (place, event) in events {
            match enqueue(queueing, event::of_lifecycle(&service.name, queue.config.partitions, &event)).await {
                Ok(_) => {
                    queue.counters.count(EventResult::Stored);
                    stored.push(place);
                }
                Err(error) => {
                    log(&error);
                    break;
                }
            }
        }
        stored
    });
    join_all(each).await.into_iter().flatten().collect()
}

/// The event stays and is tried again, so a full queue is no reason for a line at each attempt.
fn log(error: &BrokerError) {
    if !matches!(error, BrokerError::QueueFull { .. } | BrokerError::LimitExceeded(_)) {
        error.log();
    }
}

// NL-7.4
/// Removes events at these places, which are stored. Their receipts end now.
fn remove(service: &Service, stored: &BTreeSet<usize>) {
    let mut place = 0;
    service.outlet.queue().visit(|_| {
        place += 1;
        if stored.contains(&(place - 1)) { Fate::Leave } else { Fate::Wait }
    });
}
