//! Counters of the Redis broker.

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

/// All counters of the Redis broker, since the start of the process.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Messages in the gateway's pub/sub channels that no gateway wrote. The broker ignores them.
    pub(crate) foreign: Counter,
    /// Publications that Redis stored but did not send to subscribers.
    pub(crate) unannounced: Counter,
    /// Active channels that stay missing from the channel index until the next sweep, because too many names waited for the write.
    pub(crate) unlisted: Counter,
    /// Keys that a sweep deleted because, with several servers, they belong to another server.
    pub(crate) misplaced: Counter,
    /// Subscriber connections that broke.
    pub(crate) broken: Counter,
    /// Subscriber connections that stayed open but delivered no more messages.
    pub(crate) undelivered: Counter,
    /// Channels that did not deliver an acknowledged publication of this node in time.
    pub(crate) missing_deliveries: Counter,
    /// Channels to which the node subscribed again after a broken connection, a moved slot or a missing delivery.
    pub(crate) resubscribed: Counter,
    /// Failed attempts to renew the assignment of a server.
    pub(crate) failed_renewals: Counter,
    /// Batches of commands of queues that too few replicas confirmed in time.
    pub(crate) unconfirmed_batches: Counter,
    /// Time from the publish of the last canary to its delivery, in milliseconds.
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
            unconfirmed_batches: self.unconfirmed_batches.get(),
            round_trip_ms: self.round_trip_ms.load(Relaxed),
            ..RedisStats::default()
        }
    }
}
