//! The state of the queues of a run.

use super::{events::Events, life::Consumers, lifecycle::Lifecycle};
use std::sync::atomic::AtomicU64;

/// The state of the queues of a run.
pub(crate) struct Queues {
    pub(crate) events: Events,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) consumers: Consumers,
    pub(crate) counts: Counts,
}

/// What no ledger records.
#[derive(Default)]
pub(crate) struct Counts {
    /// Entries of ingest that Redis acknowledged.
    pub(crate) ingest_accepted: AtomicU64,
    /// Malformed entries of ingest that Redis acknowledged. They become dead letters.
    pub(crate) ingest_malformed: AtomicU64,
    /// Dead letters of ingest.
    pub(crate) ingest_dead: AtomicU64,
    /// Partitions that got another owner.
    pub(crate) takeovers: AtomicU64,
}

impl Queues {
    pub(crate) fn new() -> Self {
        Self { events: Events::default(), lifecycle: Lifecycle::default(), consumers: Consumers::new(), counts: Counts::default() }
    }
}
