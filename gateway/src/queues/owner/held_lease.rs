//! An ownership of a partition.

use super::pause::Pause;
use crate::{
    queues::store::{OwnedError, Ownership, QueueStore},
    telemetry::FailureLog,
};
use gateway_core::queue::{OwnerId, PartitionId};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// This node owns a partition, or owned it. Run [`Self::keep`] beside everything that uses it, in the same task.
pub struct HeldLease<S> {
    store: Arc<S>,
    partition: PartitionId,
    owner: OwnerId,
    epoch: u64,
    term: watch::Sender<LeaseTerm>,
}

/// What is known of the lease since its last renewal.
#[derive(Clone, Copy, Debug)]
struct LeaseTerm {
    /// When the request was sent that began it.
    began: Instant,
    until: Instant,
    is_paused: bool,
    clock: (Instant, u64),
}

impl LeaseTerm {
    fn new(began: Instant, time: Duration, ownership: &Ownership) -> Self {
        // The clocks of the store and of this node may run at different rates.
        let until = began + time - time / 10;
        Self { began, until, is_paused: ownership.paused, clock: (Instant::now(), ownership.now_ms) }
    }
}

impl<S: QueueStore> HeldLease<S> {
    /// Waits until this node owns the partition. If it is not preferred: only after the partition had no owner for a whole lease. Dropping the future is
    /// safe: what it acquired in the meantime ends with its lease.
    pub async fn acquire(store: Arc<S>, partition: PartitionId, node: &str, preferred: &mut watch::Receiver<bool>) -> Self {
        let time = store.lease();
        // One owner for all requests: after a lost answer the next request finds that it is the owner already.
        let owner = OwnerId::new(node);
        let mut free_since = None;
        let (mut first, mut failures) = (Pause::default(), FailureLog::default());
        loop {
            let is_due = *preferred.borrow_and_update() || free_since.is_some_and(|since: Instant| since.elapsed() >= time);
            let began = Instant::now();
            let answer = if is_due {
                match store.acquire(&partition, &owner).await {
                    Ok(Some(ownership)) => {
                        let (term, _) = watch::channel(LeaseTerm::new(began, time, &ownership));
                        return Self { store, partition, owner, epoch: ownership.epoch, term };
                    }
                    other => other.map(|_| None),
                }
            } else {
                store.status(&partition).await.map(|status| status.owner.is_none().then(|| *free_since.get_or_insert(began)))
            };
            let wait = match answer {
                Ok(since) => {
                    failures.succeeded();
                    (free_since, first) = (since, Pause::default());
                    time / 4
                }
                Err(error) => {
                    failures
                        .failed(|| tracing::warn!(%partition, %error, "the store does not say who owns a partition; this node asks again"));
                    first.next().min(time / 4)
                }
            };
            tokio::select! {
                biased;
                () = sleep(wait) => {}
                () = changed(preferred) => {}
            }
        }
    }

    /// The owner, for requests to the store.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The partition.
    pub fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// The store.
    pub fn store(&self) -> &Arc<S> {
        &self.store
    }

    /// Grows with each owner of the partition.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    // NL-8.5
    /// Whether the lease is valid by the clock of this node. If not, another node may be the owner: do nothing that others see. It may become valid again.
    pub fn is_valid(&self) -> bool {
        Instant::now() < self.until()
    }

    /// Until when the lease is valid by the clock of this node.
    pub fn until(&self) -> Instant {
        self.term.borrow().until
    }

    /// Whether an operator paused the partition.
    pub fn is_paused(&self) -> bool {
        self.term.borrow().is_paused
    }

    /// A moment, and what the clock of the store showed then, in milliseconds since 1970.
    pub fn clock(&self) -> (Instant, u64) {
        self.term.borrow().clock
    }

    /// Waits until the lease is renewed. Dropping the future is safe.
    pub async fn renewed(&self) {
        let _ = self.term.subscribe().changed().await;
    }

    /// Renews the lease. Ends when this node does not own the partition any more.
    pub async fn keep(&self) {
        let time = self.store.lease();
        let mut pause = Pause::default();
        let mut next = self.term.borrow().began + time / 3;
        loop {
            sleep_until(next).await;
            let began = Instant::now();
            match self.store.renew(&self.partition, &self.owner).await {
                Ok(ownership) => {
                    self.term.send_replace(LeaseTerm::new(began, time, &ownership));
                    (pause, next) = (Pause::default(), began + time / 3);
                }
                Err(OwnedError::NotOwner) => return,
                Err(OwnedError::Broker(error)) => {
                    tracing::debug!(partition = %self.partition, %error, "the lease of a partition was not renewed");
                    next = Instant::now() + pause.next().min(time / 6);
                }
            }
        }
    }

    /// Waits until this node was not preferred for a whole lease.
    pub async fn not_preferred(&self, preferred: &mut watch::Receiver<bool>) {
        loop {
            let is_preferred = *preferred.borrow_and_update();
            tokio::select! {
                biased;
                () = sleep(self.store.lease()), if !is_preferred => return,
                () = changed(preferred) => {}
            }
        }
    }

    /// Ends the ownership, so that the next owner need not wait for the end of the lease.
    pub async fn release(&self) {
        if let Err(error) = self.store.release(&self.partition, &self.owner).await {
            tracing::debug!(partition = %self.partition, %error, "the lease of a partition ends by itself");
        }
    }
}

/// Waits until a value changes. Never, if nobody can change it.
async fn changed(value: &mut watch::Receiver<bool>) {
    if value.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
