//! The dependencies and bounds of a hub.

use crate::{
    broker::{Broker, Mailbox, Reads},
    cluster::Holds,
    telemetry::WorkerMetrics,
};
use gateway_core::{
    channel::{GapBufferBudget, Namespaces},
    model::{PageLimit, WorkerId},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Bounds of a hub.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Largest size of one connection's outbox, in bytes.
    pub outbox_bytes: usize,
    /// Largest total size of the worker's outboxes, in bytes.
    pub worker_outbox_bytes: usize,
    /// Size after which a batch of publications is full, in bytes.
    pub batch_bytes: usize,
    /// Largest number of subscribers that one turn of the fan-out reaches.
    pub slice: usize,
    /// Largest number of recent publications that a channel keeps.
    pub attach_buffer: usize,
    /// Largest number of bytes of posted commands that wait for one session.
    pub posted_bytes: usize,
    /// What the worker keeps for clients that return soon.
    pub memory: RecoveryMemoryLimits,
    /// Largest result of one history read.
    pub page: PageLimit,
    /// Clients of this worker that receive a request to subscribe again, per second.
    pub resubscribes_per_second: usize,
    /// Largest number of subscribers of a channel that announces joins and leaves.
    pub join_leave_max: usize,
    /// Average pause before the hub retries a failed broker operation.
    pub retry: Duration,
}

/// Bounds of what a worker keeps for clients that return soon.
#[derive(Clone, Debug)]
pub struct RecoveryMemoryLimits {
    /// How long it keeps a publication, and a channel without subscribers. Zero: not at all.
    pub time: Duration,
    /// Largest total size of these publications, in bytes.
    pub bytes: usize,
    /// Largest number of channels without subscribers.
    pub channels: usize,
}

/// The dependencies of a hub.
pub struct HubParts {
    /// When the clocks of all workers of the node start.
    pub start: Instant,
    /// The worker that owns the hub.
    pub worker: WorkerId,
    /// The broker, which keeps history and presence.
    pub broker: Arc<Broker>,
    /// History reads. All workers of a node share them.
    pub reads: Arc<Reads>,
    /// Memory for publications that wait for a history read. All workers of a node share it.
    pub gap_buffers: Arc<GapBufferBudget>,
    /// The broker's queue for this worker.
    pub mailbox: Arc<Mailbox>,
    /// The channels with `lifecycle` that have subscribers. All workers of a node share it.
    pub holds: Arc<Holds>,
    /// Options of the channels.
    pub namespaces: Arc<Namespaces>,
    /// Bounds.
    pub limits: HubLimits,
    /// This worker's metrics.
    pub metrics: Arc<WorkerMetrics>,
}
