//! Counters of the broker.

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

/// All counters, since the start of the process.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages that no gateway wrote, in pub/sub channels of the prefix. The broker ignores them.
    pub(crate) foreign: Counter,
    /// Publications that Redis stored but did not send to subscribers.
    pub(crate) unannounced: Counter,
    /// Channels that became active but are missing from the channel index until the next sweep, because too many names waited.
    pub(crate) unlisted: Counter,
    /// Keys that a sweep deleted, because they belong to another one of several servers.
    pub(crate) misplaced: Counter,
    /// Subscriber connections that broke.
    pub(crate) broken: Counter,
    /// Subscriber connections that stayed open but delivered no more messages.
    pub(crate) undelivered: Counter,
    /// Channels that did not deliver an acknowledged publication in time.
    pub(crate) missing_deliveries: Counter,
    /// Channels that the node subscribed to again for one of these reasons.
    pub(crate) resubscribed: Counter,
    /// Attempts to renew the assignment of a server that failed.
    pub(crate) failed_renewals: Counter,
    /// Round trip of the last canary, in milliseconds.
    pub(crate) round_trip_ms: AtomicU64,
}

impl Counters {
    pub(crate) fn stats(&self) -> RedisStats {
        RedisStats {
            foreign: self.foreign.get(),
            unannounced: self.unannounced.get(),
            unlisted: self.unlisted.get(),
            misplaced: self.misplaced.get(),
            broken: self.broken.get(),
            undelivered: self.undelivered.get(),
            missing_deliveries: self.missing_deliveries.get(),
            resubscribed: self.resubscribed.get(),
            failed_renewals: self.failed_renewals.get(),
            round_trip_ms: self.round_trip_ms.load(Relaxed),
            ..RedisStats::default()
        }
    }
}
