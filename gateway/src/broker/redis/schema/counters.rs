//! What the broker counts.

use crate::broker::RedisStats;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages in our channels that no gateway wrote; they were left out.
    pub(crate) foreign: Counter,
    /// Publications that were stored, but whose announcement failed.
    pub(crate) unannounced: Counter,
    /// Channels that became active and are not listed, since too many names waited.
    pub(crate) unlisted: Counter,
    /// Connections for subscriptions that broke.
    pub(crate) broken: Counter,
    /// Connections for subscriptions that had gone deaf without breaking.
    pub(crate) deaf: Counter,
    /// Channels to which an acknowledged publication did not come in time.
    pub(crate) silent: Counter,
    /// Channels that were subscribed to again after any of this.
    pub(crate) resubscribed: Counter,
    /// Milliseconds that the last canary took.
    pub(crate) round_trip_ms: AtomicU64,
}

impl Counters {
    pub(crate) fn stats(&self) -> RedisStats {
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
