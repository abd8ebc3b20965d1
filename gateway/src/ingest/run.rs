//! The tasks of ingest.

use super::{
    config::IngestConfig,
    ownership_work::{End, OwnershipWork},
    stats::{IngestCount, IngestStats},
};
use crate::{
    publish::Publisher,
    queues::{HeldLease, QueueStore},
};
use gateway_core::queue::{PartitionId, QueueName};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// The pause after a channel named a newer owner. If Redis lost the epoch of the partition, that repeats until its clock is ahead of the epoch.
const STALE_PAUSE: Duration = Duration::from_secs(1);
/// How long an owner that stops waits for the answers to what it has published.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Publishes the entries of a partition of ingest whenever no other node does. Ends after `stop`.
///
/// A node that is not `preferred` begins only after the partition had no owner for a whole lease, and hands it over when it was not preferred for a
/// whole lease.
pub(super) async fn run<S: QueueStore>(
    store: Arc<S>,
    publisher: Arc<Publisher>,
    config: IngestConfig,
    partition: u16,
    stats: Arc<IngestStats>,
    mut preferred: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let partition = PartitionId { queue: QueueName::Ingest, partition };
    while !stop.is_cancelled() {
        let acquire = HeldLease::acquire(store.clone(), partition.clone(), &config.node, &mut preferred);
        let Some(held_lease) = stop.run_until_cancelled(acquire).await else { return };
        tracing::info!(%partition, epoch = held_lease.epoch(), "this node owns the partition of ingest");
        let leave = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = held_lease.not_preferred(&mut preferred) => {}
            }
        };
        stats.begin_ownership();
        let mut work = OwnershipWork::new(&*store, &publisher, &config, &stats, &held_lease);
        let end = tokio::select! {
            biased;
            () = held_lease.keep() => End::Lost,
            end = work.work(leave) => end,
        };
        if end == End::Left {
            tokio::select! {
                () = held_lease.keep() => {}
                _ = timeout(LAST_ANSWERS, work.finish()) => {}
            }
        }
        stats.end_ownership();
        match end {
            End::Lost => tracing::warn!(%partition, "this node does not own the partition of ingest any more"),
            End::Stale => {
                stats.count(IngestCount::Stale);
                tracing::warn!(%partition, epoch = held_lease.epoch(), "a channel knows a newer owner of the partition of ingest: beginning again");
                held_lease.release().await;
                let _ = timeout(STALE_PAUSE, stop.cancelled()).await;
            }
            End::Left => held_lease.release().await,
        }
    }
}
