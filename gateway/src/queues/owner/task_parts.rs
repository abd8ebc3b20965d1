//! What the ownerships of one task have in common.

use super::{
    config::OwnerConfig,
    handles::{Delivery, DeliveryGuard},
    stats::OwnerStats,
};
use gateway_core::queue::{
    PartitionId,
    owner::{Report, Ticket},
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the ownerships of one task have in common.
pub(super) struct Owner<S> {
    pub(super) store: Arc<S>,
    pub(super) partition: PartitionId,
    pub(super) config: OwnerConfig,
    pub(super) deliver: mpsc::Sender<Delivery>,
    pub(super) reported: mpsc::Receiver<(Ticket, Report)>,
    pub(super) guard: DeliveryGuard,
    pub(super) stats: Arc<OwnerStats>,
    /// The number of the current ownership.
    pub(super) generation: u64,
}
