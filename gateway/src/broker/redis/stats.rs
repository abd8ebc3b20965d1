//! What the broker counts.

use crate::broker::RedisStats;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Messages in our channels that no gateway wrote; they were left out.
    pub(super) foreign: Counter,
    /// Publications that were stored, but whose announcement failed.
    pub(super) unannounced: Counter,
    /// Channels that became active and are not listed, since too many names waited.
    pub(super) unlisted: Counter,
    /// Connections for subscriptions that broke.
    pub(super) broken: Counter,
    /// Connections for subscriptions that had gone deaf without breaking.
    pub(super) deaf: Counter,
    /// Channels to which an acknowledged publication did not come in time.
    pub(super) silent: Counter,
    /// Channels that were subscribed to again after any of this.
    pub(super) resubscribed: Counter,
    /// Milliseconds that the last canary took.
    pub(super) round_trip_ms: AtomicU64,
}

impl Counters {
    pub(super) fn stats(&self) -> RedisStats {
        RedisStats {
            foreign: self.foreign.get(),
            unannounced: self.unannounced.get(),
            unlisted: self.unlisted.get(),
            broken: self.broken.get(),
            deaf: self.deaf.get(),
            silent: self.silent.get(),
            resubscribed: self.resubscribed.get(),
            round_trip_ms: self.round_trip_ms.load(Relaxed),
            ..RedisStats::default()
        }
    }
}
