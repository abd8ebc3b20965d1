//! What a hub works with, and its bounds.

use crate::{
    broker::{Broker, Mailbox, Reads},
    telemetry::WorkerMetrics,
};
use gateway_core::{
    channel::{HoldRoom, Namespaces},
    model::{PageLimit, WorkerId},
};
use std::{sync::Arc, time::Duration};

/// Bounds of a hub.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Bytes that one connection's outbox may hold.
    pub outbox_bytes: usize,
    /// Bytes that all outboxes of the worker may hold.
    pub worker_outbox_bytes: usize,
    /// Bytes of publications that go out as one message.
    pub batch_bytes: usize,
    /// Subscribers served before others get their turn.
    pub slice: usize,
    /// Publications remembered per channel while a connection attaches.
    pub attach_buffer: usize,
    /// One read of a stream.
    pub page: PageLimit,
    /// Subscriptions of this worker that are told within a second that they have to begin anew.
    pub restarts: usize,
    /// Subscribers above which joins and leaves are not told.
    pub join_leave_max: usize,
    /// Before a read that failed is tried again.
    pub retry: Duration,
}

/// What a hub works with.
pub struct HubParts {
    /// Which worker it belongs to.
    pub worker: WorkerId,
    /// Where streams and presence live.
    pub broker: Arc<Broker>,
    /// Reads of streams, which the workers of a node share.
    pub reads: Arc<Reads>,
    /// Memory for what is held back meanwhile, which they share as well.
    pub hold: Arc<HoldRoom>,
    /// What the broker has for this worker.
    pub mailbox: Arc<Mailbox>,
    /// Options of the channels.
    pub namespaces: Arc<Namespaces>,
    /// Bounds.
    pub limits: HubLimits,
    /// This worker's counts.
    pub metrics: Arc<WorkerMetrics>,
}
