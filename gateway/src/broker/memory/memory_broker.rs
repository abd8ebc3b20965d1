//! The broker of a single node, in memory.

#![expect(clippy::unused_async, reason = "the interface is asynchronous for brokers that wait; this one answers at once")]

use super::{
    limits::MemoryLimits,
    occupancy::Occupancy,
    store::{Now, Store},
};
use crate::broker::{
    Announcement, Attempt, BrokerError, BrokerStats, CallEnd, CallKey, CallState, ChannelSummary, Hold, Mailbox, NewPublication,
    NewPublications, Published, Readiness, Release, UserSubscription, Vacate,
};
use gateway_core::{
    channel::Glob,
    model::{
        ChannelName, ClientInfo, ConnectionId, Page, PageLimit, PresenceStats, ReadRange, Retention, Revocation, RevocationTarget, Span,
        Tick, UserId, WorkerId, lock,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// The broker of a single node. Its data ends with the process. Its methods are described at [`crate::broker::Broker`].
pub struct MemoryBroker {
    store: Store,
    occupancy: Mutex<Occupancy>,
    start: Instant,
}

impl MemoryBroker {
    /// Time between two removals of expired data. Reads never return expired data.
    const SWEEP: Duration = Duration::from_secs(1);

    /// A broker that delivers to these mailboxes. The first mailbox is that of the worker with index 0.
    pub fn new(workers: Vec<Arc<Mailbox>>, limits: MemoryLimits) -> Self {
        Self { store: Store::new(workers, &limits), occupancy: Mutex::default(), start: Instant::now() }
    }

    /// See [`crate::broker::Broker::publish`].
    pub async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Result<Published, BrokerError> {
        self.store.publish(self.now(), channel, publication)
    }

    /// See [`crate::broker::Broker::publish_all`].
    pub async fn publish_all(&self, channel: &ChannelName, publications: NewPublications) -> Result<Published<Span>, BrokerError> {
        self.store.publish_all(self.now(), channel, publications)
    }

    /// See [`crate::broker::Broker::announce`].
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        self.store.announce(channel, announcement);
        Ok(())
    }

    /// See [`crate::broker::Broker::subscribe`].
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, _retention: Option<Retention>) -> Result<(), BrokerError> {
        self.store.subscribe(channel, worker);
        Ok(())
    }

    /// See [`crate::broker::Broker::unsubscribe`]. Nothing is delivered after this call.
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        self.store.unsubscribe(self.now(), channel, worker);
    }

    /// See [`crate::broker::Broker::read`].
    pub async fn read(&self, channel: &ChannelName, retention: Retention, range: ReadRange, limit: PageLimit) -> Result<Page, BrokerError> {
        Ok(self.store.read(self.now(), channel, retention, range, limit))
    }

    /// See [`crate::broker::Broker::clear`].
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        self.store.clear(self.now(), channel);
        Ok(())
    }

    /// See [`crate::broker::Broker::presence_add`].
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        self.store.presence_add(channel, info);
        Ok(())
    }

    /// See [`crate::broker::Broker::presence_remove`].
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        self.store.presence_remove(self.now(), channel, connection);
        Ok(())
    }

    /// See [`crate::broker::Broker::presence`].
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        Ok(self.store.presence(channel, limit))
    }

    /// See [`crate::broker::Broker::presence_stats`].
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        Ok(self.store.presence_stats(channel))
    }

    /// See [`crate::broker::Broker::hold`].
    pub async fn hold(&self, channel: &ChannelName) -> Result<Hold, BrokerError> {
        Ok(lock(&self.occupancy).hold(channel, self.now().unix_ms))
    }

    /// See [`crate::broker::Broker::release`].
    pub async fn release(&self, channel: &ChannelName) -> Result<Release, BrokerError> {
        Ok(lock(&self.occupancy).release(channel, self.now().tick))
    }

    /// See [`crate::broker::Broker::vacate`].
    pub async fn vacate(&self, channel: &ChannelName, generation: u64, linger: Duration) -> Result<Vacate, BrokerError> {
        Ok(lock(&self.occupancy).vacate(channel, generation, linger, self.now().tick))
    }

    /// See [`crate::broker::Broker::channels`].
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        let pattern = Glob::new(pattern);
        let mut first = BTreeMap::new();
        for shard in 0..Store::SHARDS {
            for channel in self.store.channels(self.now(), shard, &pattern, after) {
                first.insert(channel.name.clone(), channel);
                if first.len() > limit {
                    first.pop_last();
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(first.into_values().collect())
    }

    /// See [`crate::broker::Broker::put_user_subscription`].
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        self.store.put_user_subscription(self.now(), user, subscription)
    }

    /// See [`crate::broker::Broker::delete_user_subscription`].
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        Ok(self.store.delete_user_subscription(self.now(), user, channel))
    }

    /// See [`crate::broker::Broker::user_subscriptions`].
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        Ok(self.store.user_subscriptions(self.now(), user))
    }

    /// See [`crate::broker::Broker::revoke`].
    pub async fn revoke(&self, target: &RevocationTarget, revocation: Revocation, ttl: Duration) -> Result<(), BrokerError> {
        self.store.revoke(self.now(), target, revocation, ttl)
    }

    /// See [`crate::broker::Broker::revoked`].
    pub async fn revoked(&self, target: &RevocationTarget) -> Result<Option<Revocation>, BrokerError> {
        Ok(self.store.revoked(self.now(), target))
    }

    /// See [`crate::broker::Broker::begin_call`].
    pub async fn begin_call(&self, key: &CallKey, attempt: Attempt) -> Result<CallState, BrokerError> {
        self.store.calls().begin(key, attempt, self.now().tick)
    }

    /// See [`crate::broker::Broker::end_call`].
    pub async fn end_call(&self, key: &CallKey, attempt: Attempt, end: CallEnd) -> Result<bool, BrokerError> {
        Ok(self.store.calls().end(key, attempt, end, self.now().tick))
    }

    /// Always ready.
    pub fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    /// See [`crate::broker::Broker::stats`].
    pub fn stats(&self) -> BrokerStats {
        self.store.stats()
    }

    /// Removes expired data until cancelled.
    pub async fn run(&self, stop: tokio_util::sync::CancellationToken) {
        let mut interval = tokio::time::interval(Self::SWEEP);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(interval.tick()).await.is_some() {
            self.sweep().await;
        }
    }

    async fn sweep(&self) {
        for shard in 0..Store::SHARDS {
            while self.store.sweep_shard(self.now(), shard) {
                tokio::task::yield_now().await;
            }
        }
        self.store.sweep_rest(self.now());
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { tick: Tick::default().after(self.start.elapsed()), unix_ms: unix.as_millis() as u64 }
    }
}
