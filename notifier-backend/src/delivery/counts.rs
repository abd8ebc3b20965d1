//! Counters and current values of the deliveries.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// Counters since the start. `in_flight` and `breaker_open` are current values.
#[derive(Debug, Default)]
pub struct Counts {
    /// Deliveries that the gateway accepted.
    pub delivered: AtomicU64,
    /// Deliveries that the gateway refused permanently.
    pub failed: AtomicU64,
    /// Attempts that are repeated.
    pub retried: AtomicU64,
    /// Deliveries in flight.
    pub in_flight: AtomicU64,
    /// Whether deliveries are stopped because the gateway failed repeatedly.
    pub breaker_open: AtomicBool,
}
