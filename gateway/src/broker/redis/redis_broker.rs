//! The broker of a cluster, as the rest of the gateway sees it. Each method calls the part that does the work.

use super::{
    channels::{audit::Audit, channel_index::ChannelIndex, listing::Listing, streams::Streams},
    cluster_state::{call_store::CallStore, nodes::Nodes, presence::Presence, user_store::UserStore},
    commands::driver::Driver,
    listener::listener::Listener,
    queues::redis_queues::RedisQueues,
    schema::counters::Counters,
    servers::{health::Health, masters::Masters},
    subscriptions::subscriptions::Subscriptions,
};
use crate::broker::{
    Announcement, Attempt, BrokerError, BrokerStats, CallEnd, CallKey, CallState, ChannelSummary, Hold, NewPublication, NewPublications,
    Published, Readiness, RedisStats, Release, UserSubscription, Vacate,
};
use gateway_core::model::{
    ChannelName, ClientInfo, ConnectionId, Page, PageLimit, PresenceStats, ReadRange, Retention, Revocation, RevocationTarget, Span,
    UserId, WorkerId, lock,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The broker of a cluster. Its methods are described at [`crate::broker::Broker`].
pub struct RedisBroker {
    pub(super) streams: Arc<Streams>,
    pub(super) user_store: UserStore,
    pub(super) call_store: CallStore,
    pub(super) listing: Arc<Listing>,
    pub(super) presence: Arc<Presence>,
    pub(super) nodes: Nodes,
    pub(super) queues: Option<Arc<RedisQueues>>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) health: Arc<Health>,
    pub(super) counters: Arc<Counters>,
    pub(super) background: Mutex<Option<Background>>,
}

/// The parts that run as tasks. [`RedisBroker::run`] takes them.
pub(super) struct Background {
    pub(super) masters: Arc<Masters>,
    pub(super) drivers: Vec<Driver>,
    pub(super) listener: Listener,
    pub(super) channel_index: Arc<ChannelIndex>,
    pub(super) audit: Arc<Audit>,
}

impl RedisBroker {
    /// See [`crate::broker::Broker::hand_over`].
    pub async fn hand_over<'a>(
        &'a self,
        channel: &ChannelName,
        publication: NewPublication,
    ) -> Result<impl Future<Output = Result<Published, BrokerError>> + use<'a>, BrokerError> {
        self.streams.hand_over(channel, publication).await
    }

    /// See [`crate::broker::Broker::publish_all`].
    pub async fn publish_all(&self, channel: &ChannelName, publications: NewPublications) -> Result<Published<Span>, BrokerError> {
        self.streams.publish_all(channel, publications).await
    }

    /// See [`crate::broker::Broker::announce`].
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        self.streams.announce(channel, &announcement).await
    }

    /// See [`crate::broker::Broker::subscribe`].
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, retention: Option<Retention>) -> Result<(), BrokerError> {
        self.subscriptions.subscribe(channel, worker, retention.is_some()).await
    }

    /// See [`crate::broker::Broker::unsubscribe`].
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        self.subscriptions.unsubscribe(channel, worker);
    }

    /// See [`crate::broker::Broker::resubscribe`].
    pub fn resubscribe(&self, channel: &ChannelName) {
        self.subscriptions.resubscribe(channel);
    }

    /// See [`crate::broker::Broker::read`].
    pub async fn read(&self, channel: &ChannelName, retention: Retention, range: ReadRange, limit: PageLimit) -> Result<Page, BrokerError> {
        self.streams.read(channel, retention.ttl, range, limit).await
    }

    /// See [`crate::broker::Broker::clear`].
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        self.streams.clear(channel).await
    }

    /// See [`crate::broker::Broker::presence_add`].
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        self.presence.add(channel, &info).await
    }

    /// See [`crate::broker::Broker::presence_remove`].
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        self.presence.remove(channel, connection).await
    }

    /// See [`crate::broker::Broker::presence`].
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        self.presence.list(channel, limit).await
    }

    /// See [`crate::broker::Broker::presence_stats`].
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        self.presence.stats(channel).await
    }

    /// See [`crate::broker::Broker::hold`].
    pub async fn hold(&self, channel: &ChannelName) -> Result<Hold, BrokerError> {
        self.nodes.occupancy.hold(channel).await
    }

    /// See [`crate::broker::Broker::release`].
    pub async fn release(&self, channel: &ChannelName) -> Result<Release, BrokerError> {
        self.nodes.occupancy.release(channel).await
    }

    /// See [`crate::broker::Broker::vacate`].
    pub async fn vacate(&self, channel: &ChannelName, generation: u64, linger: Duration) -> Result<Vacate, BrokerError> {
        self.nodes.occupancy.vacate(channel, generation, linger).await
    }

    /// See [`crate::broker::Broker::channels`].
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        self.listing.channels(pattern, after, limit).await
    }

    /// See [`crate::broker::Broker::put_user_subscription`].
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        self.user_store.put_subscription(user, subscription).await
    }

    /// See [`crate::broker::Broker::delete_user_subscription`].
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        self.user_store.delete_subscription(user, channel).await
    }

    /// See [`crate::broker::Broker::user_subscriptions`].
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        self.user_store.subscriptions(user).await
    }

    /// See [`crate::broker::Broker::revoke`].
    pub async fn revoke(&self, target: &RevocationTarget, revocation: Revocation, ttl: Duration) -> Result<(), BrokerError> {
        self.user_store.revoke(target, &revocation, ttl).await
    }

    /// See [`crate::broker::Broker::revoked`].
    pub async fn revoked(&self, target: &RevocationTarget) -> Result<Option<Revocation>, BrokerError> {
        self.user_store.revoked(target).await
    }

    /// See [`crate::broker::Broker::begin_call`].
    pub async fn begin_call(&self, key: &CallKey, attempt: Attempt) -> Result<CallState, BrokerError> {
        self.call_store.begin(key, attempt).await
    }

    /// See [`crate::broker::Broker::end_call`].
    pub async fn end_call(&self, key: &CallKey, attempt: Attempt, end: CallEnd) -> Result<bool, BrokerError> {
        self.call_store.end(key, attempt, &end).await
    }

    /// See [`crate::broker::Broker::longest_command`].
    pub fn longest_command(&self) -> Duration {
        self.call_store.longest_command()
    }

    /// The nodes of the cluster.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// See [`crate::broker::Broker::queues`].
    pub fn queues(&self) -> Option<&Arc<RedisQueues>> {
        self.queues.as_ref()
    }

    /// Ready if all parts of all masters work, for example every connection and every canary. Partly ready if this is true for at least one
    /// master.
    pub fn readiness(&self) -> Readiness {
        self.health.readiness()
    }

    /// See [`crate::broker::Broker::stats`].
    pub fn stats(&self) -> BrokerStats {
        let (serving, unavailable) = self.health.count();
        let redis = RedisStats { serving, unavailable, ..self.counters.stats() };
        BrokerStats { channels: self.subscriptions.len(), redis: Some(redis), ..BrokerStats::default() }
    }

    /// Runs all tasks until cancelled. Must be called exactly once, in a runtime that outlives all callers.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(Background { masters, drivers, listener, channel_index, audit }) = lock(&self.background).take() else { return };
        let mut tasks = JoinSet::new();
        for driver in drivers {
            tasks.spawn(driver.run(stop.clone()));
        }
        tasks.spawn(listener.run(stop.clone()));
        tasks.spawn({
            let (health, counters, stop) = (self.health.clone(), self.counters.clone(), stop.clone());
            async move { masters.run(&health, &counters, stop).await }
        });
        tasks.spawn({
            let stop = stop.clone();
            async move {
                let _ = stop.run_until_cancelled(channel_index.run()).await;
            }
        });
        tasks.spawn(async move { audit.run(stop).await });
        while tasks.join_next().await.is_some() {}
    }
}
