//! Exposes the counters and the state of queues as metrics.

use crate::{
    ingest::IngestCount,
    node::Node,
    queues::{OwnerCount, OwnerStats, QueueSample},
    services::EventResult,
    telemetry::{Metrics, Series},
};
use gateway_core::queue::{DeadReason, QueueName};
use std::sync::Arc;

/// Reads a number.
type Read<T> = fn(&T) -> u64;

pub(super) fn observe_queues(metrics: &Metrics, node: &Arc<Node>) {
    observe_samples(metrics, node);
    observe_owners(metrics, node);
    let weak = Arc::downgrade(node);
    metrics.observe(Series::IngestEntries, move |report| {
        let node = weak.upgrade();
        let Some(ingest) = node.as_ref().and_then(|node| node.ingest.as_ref()) else { return };
        for count in IngestCount::ALL {
            report(&[count.result()], ingest.stats().counted(count));
        }
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::QueueEvents, move |report| {
        let Some(node) = weak.upgrade() else { return };
        for (service, counters, _) in node.services.queue_counters() {
            for result in EventResult::ALL {
                report(&[service.as_str(), result.name()], counters.events(result));
            }
        }
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::QueueDeliveries, move |report| {
        let Some(node) = weak.upgrade() else { return };
        for (service, counters, owners) in node.services.queue_counters() {
            for (count, result) in [
                (OwnerCount::Acknowledged, "acknowledged"),
                (OwnerCount::Failed, "failed"),
                (OwnerCount::TimedOut, "timed_out"),
                (OwnerCount::Lost, "lost"),
                (OwnerCount::NotSent, "not_sent"),
            ] {
                report(&[service.as_str(), result], owners.iter().map(|owner| owner.counted(count)).sum());
            }
            report(&[service.as_str(), "unknown"], counters.unknown_ends());
        }
    });
}

/// What all nodes see.
fn observe_samples(metrics: &Metrics, node: &Arc<Node>) {
    let each: [(Series, Read<QueueSample>); 3] = [
        (Series::QueueDepth, |sample| sample.depth),
        (Series::QueueOldestAge, |sample| sample.oldest_age_ms / 1000),
        (Series::QueueDeadLettersHeld, |sample| sample.dead),
    ];
    for (series, read) in each {
        let weak = Arc::downgrade(node);
        metrics.observe(series, move |report| {
            let Some(node) = weak.upgrade() else { return };
            for (queue, sample) in node.queue_monitor.samples() {
                report(&[label(&queue)], read(&sample));
            }
        });
    }
}

/// What the owners at this node see.
fn observe_owners(metrics: &Metrics, node: &Arc<Node>) {
    let each: [(Series, Read<OwnerStats>); 2] =
        [(Series::QueueOwnedPartitions, |owner| u64::from(owner.owned())), (Series::QueueBlockedKeys, OwnerStats::blocked_keys)];
    for (series, read) in each {
        let weak = Arc::downgrade(node);
        metrics.observe(series, move |report| {
            let Some(node) = weak.upgrade() else { return };
            for (service, _, owners) in node.services.queue_counters() {
                report(&[service.as_str()], owners.iter().map(|owner| read(owner)).sum());
            }
            if let Some(ingest) = node.ingest.as_ref().filter(|_| series == Series::QueueOwnedPartitions) {
                report(&[label(&QueueName::Ingest)], ingest.stats().owned());
            }
        });
    }
    let weak = Arc::downgrade(node);
    metrics.observe(Series::QueueDeadLetters, move |report| {
        let Some(node) = weak.upgrade() else { return };
        for (service, _, owners) in node.services.queue_counters() {
            for reason in DeadReason::ALL {
                report(&[service.as_str(), reason.name()], owners.iter().map(|owner| owner.dead_lettered(reason)).sum());
            }
        }
        if let Some(ingest) = &node.ingest {
            for (reason, count) in
                [(DeadReason::Malformed, IngestCount::Malformed), (DeadReason::Unpublishable, IngestCount::Unpublishable)]
            {
                report(&[label(&QueueName::Ingest), reason.name()], ingest.stats().counted(count));
            }
        }
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::QueueWaiting, move |report| {
        let Some(node) = weak.upgrade() else { return };
        for (service, _, owners) in node.services.queue_counters() {
            for (partition, owner) in owners.iter().enumerate() {
                if let Some(key) = owner.waits_for() {
                    report(&[service.as_str(), &partition.to_string(), &key], 1);
                }
            }
        }
    });
}

fn label(queue: &QueueName) -> &str {
    match queue {
        QueueName::Service(service) => service.as_str(),
        QueueName::Ingest => "ingest",
    }
}
