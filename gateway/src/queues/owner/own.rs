//! The task that owns a partition.

use super::{
    config::OwnerConfig,
    handles::{DeliveryGuard, PartitionHandles},
    held_lease::HeldLease,
    stats::OwnerStats,
    task_parts::Owner,
    work::{Left, Work},
};
use crate::queues::store::QueueStore;
use gateway_core::queue::{PartitionId, owner::OwnerCount};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Deliveries that wait for those who deliver.
const DELIVERIES: usize = 32;
/// Reports that wait for the owner.
const REPORTS: usize = 256;

/// Owns a partition whenever no other node does, and hands out its entries. The future ends only after `stop`.
///
/// A node that is not `preferred` begins only after the partition had no owner for a whole lease, and hands it over when it was not preferred for a
/// whole lease. After `stop`, and before it hands a partition over, it waits some seconds for reports about what was delivered.
pub fn own<S: QueueStore>(
    store: Arc<S>,
    partition: PartitionId,
    config: OwnerConfig,
    preferred: watch::Receiver<bool>,
    stop: CancellationToken,
) -> (PartitionHandles, impl Future<Output = ()> + Send) {
    let (deliver, deliveries) = mpsc::channel(DELIVERIES);
    let (reports, reported) = mpsc::channel(REPORTS);
    let (guard, stats) = (DeliveryGuard::new(), Arc::new(OwnerStats::default()));
    let handles = PartitionHandles { deliveries, reports, guard: guard.clone(), stats: stats.clone() };
    let owner = Owner { store, partition, config, deliver, reported, guard, stats, generation: 0 };
    (handles, owner.run(preferred, stop))
}

impl<S: QueueStore> Owner<S> {
    async fn run(mut self, mut preferred: watch::Receiver<bool>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let Some(held_lease) = self.acquire(&mut preferred, &stop).await else { return };
            self.generation += 1;
            tracing::info!(partition = %self.partition, epoch = held_lease.epoch(), "this node owns the partition");
            self.stats.begin();
            let leave = async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = held_lease.not_preferred(&mut preferred) => {}
                }
            };
            let mut work = Work::new(&mut self, &held_lease);
            let left = tokio::select! {
                biased;
                () = held_lease.keep() => Left::Lost,
                left = work.run(leave) => left,
            };
            drop(work);
            self.guard.close();
            self.stats.end();
            match left {
                Left::Lost => {
                    self.stats.add(OwnerCount::Ousted, 1);
                    tracing::warn!(partition = %self.partition, "this node does not own the partition any more");
                }
                Left::Done => {
                    held_lease.release().await;
                    tracing::info!(partition = %self.partition, "this node handed the partition over");
                }
            }
        }
    }

    /// Waits until this node owns the partition. None: it has to stop.
    async fn acquire(&mut self, preferred: &mut watch::Receiver<bool>, stop: &CancellationToken) -> Option<HeldLease<S>> {
        let acquired = HeldLease::acquire(self.store.clone(), self.partition.clone(), &self.config.node, preferred);
        // Reports about deliveries of an earlier ownership have no effect.
        let ignore_reports = async {
            while self.reported.recv().await.is_some() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            held_lease = acquired => Some(held_lease),
            () = ignore_reports => None,
        }
    }
}
