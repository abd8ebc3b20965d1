//! What the owner of a partition has in common with those who deliver its entries.

use super::stats::OwnerStats;
use bytes::Bytes;
use gateway_core::queue::owner::{Report, Ticket};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// An entry to deliver. It has to be reported, see [`Report`].
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its name in reports. [`Ticket::attempt`] is the number of the try.
    pub ticket: Ticket,
    /// The number of the partition.
    pub partition: u16,
    /// The id of the event.
    pub id: Box<str>,
    /// The key of the event; empty: it has none.
    pub key: Box<str>,
    /// The event, as it was stored.
    pub event: Bytes,
    /// After this it must not be written, but reported as [`Report::NotSent`]: the owner then makes it a dead letter.
    pub expires: Option<Instant>,
}

/// Where the deliveries of a partition come from, and where reports about them go.
#[derive(Debug)]
pub struct PartitionHandles {
    /// What has to be delivered: one entry of each key at a time.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// What became of it.
    pub reports: mpsc::Sender<(Ticket, Report)>,
    /// What may be delivered.
    pub guard: DeliveryGuard,
    /// Counters.
    pub stats: Arc<OwnerStats>,
}

/// Says whether a delivery may still be written. Ask right before: the node may have been frozen, and another one own the partition.
#[derive(Clone, Debug)]
pub struct DeliveryGuard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    /// The ownership that may deliver. 0: none.
    generation: AtomicU64,
    /// Milliseconds after `start`.
    until: AtomicU64,
}

impl DeliveryGuard {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { start: Instant::now(), generation: AtomicU64::new(0), until: AtomicU64::new(0) }))
    }

    // NL-8.5
    /// Whether this delivery may be written. If not, it has to be reported as [`Report::NotSent`].
    pub fn allows(&self, ticket: Ticket) -> bool {
        let inner = &self.0;
        inner.generation.load(Relaxed) == ticket.generation()
            && Instant::now() < inner.start + Duration::from_millis(inner.until.load(Relaxed))
    }

    /// Allows the deliveries of this ownership until then.
    pub(super) fn allow(&self, generation: u64, until: Instant) {
        let until = until.saturating_duration_since(self.0.start).as_millis();
        self.0.until.store(u64::try_from(until).unwrap_or(u64::MAX), Relaxed);
        self.0.generation.store(generation, Relaxed);
    }

    /// Allows nothing.
    pub(super) fn close(&self) {
        self.0.generation.store(0, Relaxed);
    }
}
