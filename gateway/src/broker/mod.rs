//! The broker: publications, histories, presence and stored subscriptions, and the mailboxes through which they reach the workers.
//!
//! The broker guarantees two things. In every mailbox, the deliveries of a channel are in the order of their offsets. A delivery that does
//! not fit is never lost silently: the mailbox marks its channel as dirty. The consumer of the mailbox detects gaps between offsets.

mod calls;
mod cause;
pub mod mailbox;
mod memory;
mod name_hasher;
mod reads;
mod redis;
mod stats;
mod types;

pub use self::calls::{Attempt, CallEnd, CallKey, CallState};
#[cfg(feature = "testing")]
pub use self::redis::internals;
#[cfg(feature = "testing")]
pub(crate) use self::redis::simulated;
use futures_util::future::{Either, ready};
use gateway_core::model::{
    ChannelName, ClientInfo, ConnectionId, Page, PageLimit, PresenceStats, ReadRange, Retention, Revocation, RevocationTarget, Span,
    UserId, WorkerId,
};
pub use mailbox::{Delivery, Dropped, Mailbox, MailboxEntry, MailboxStats, PostOutcome, PostedCommands, TopReason};
pub use memory::{MemoryBroker, MemoryLimits};
pub(crate) use name_hasher::NameHasher;
pub use reads::{PresenceLimits, PresenceReads, Reads};
pub use redis::{
    Address as RedisAddress, Lease, NodeId, NodeRecord, Nodes, OrphanedPresence, PartitionLease, PresenceStep, RedisBroker, RedisConfig,
    RedisQueues, RedisQueuesConfig, RedisUsers, Sweep, Swept, WAITING_CONNECTIONS,
};
pub use stats::{BrokerStats, RedisStats, Trimmed};
use std::{sync::Arc, time::Duration};
pub use types::{
    Announcement, BrokerError, ChannelSummary, Hold, IdempotencyKey, IngestIdentity, NewPublication, NewPublications, NodeTask,
    PublishIdentity, Published, Readiness, RegistryKey, Release, UserSubscription, Vacate,
};

/// The broker that the settings choose. An enum, so that its methods need no boxed futures.
pub enum Broker {
    /// Keeps all data in this process. For a single node.
    Memory(MemoryBroker),
    /// Keeps all data in Redis, which all nodes of a cluster share.
    Redis(RedisBroker),
}

/// Dispatches to the chosen broker.
macro_rules! each {
    ($self:ident, $broker:ident => $call:expr) => {
        match $self {
            Broker::Memory($broker) => $call,
            Broker::Redis($broker) => $call,
        }
    };
}

impl Broker {
    /// Delivers a publication, and stores it if it has a retention. The offset of a stored publication is its place in the order of the
    /// channel.
    pub async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Result<Published, BrokerError> {
        self.hand_over(channel, publication).await?.await
    }

    /// Hands a publication over to the broker. The inner future resolves like [`Self::publish`]. The broker stores publications of a
    /// channel in the order in which they are handed over, so a caller with many publications need not wait for each result.
    pub async fn hand_over<'a>(
        &'a self,
        channel: &ChannelName,
        publication: NewPublication,
    ) -> Result<impl Future<Output = Result<Published, BrokerError>> + use<'a>, BrokerError> {
        Ok(match self {
            Self::Memory(broker) => Either::Left(ready(broker.publish(channel, publication).await)),
            Self::Redis(broker) => Either::Right(broker.hand_over(channel, publication).await?),
        })
    }

    /// Stores and delivers all of several publications, or none. Their offsets are consecutive.
    pub async fn publish_all(&self, channel: &ChannelName, publications: NewPublications) -> Result<Published<Span>, BrokerError> {
        each!(self, broker => broker.publish_all(channel, publications).await)
    }

    /// Delivers an announcement to the subscribers of a channel, at most once. It is not stored.
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        each!(self, broker => broker.announce(channel, announcement).await)
    }

    /// Subscribes a worker to a channel. After this resolves, every later publication of the channel reaches the worker's mailbox.
    /// Idempotent. `retention` is that of the channel. Without a retention, nobody can detect lost publications.
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, retention: Option<Retention>) -> Result<(), BrokerError> {
        each!(self, broker => broker.subscribe(channel, worker, retention).await)
    }

    /// Ends the subscription of a worker. Deliveries that are already on their way may still arrive.
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        each!(self, broker => broker.unsubscribe(channel, worker));
    }

    /// Subscribes to a channel again, because a worker found that deliveries are missing. The broker then checks the channel for lost
    /// publications.
    pub fn resubscribe(&self, channel: &ChannelName) {
        match self {
            // The memory broker puts deliveries into the mailboxes directly, and a full mailbox reports what it dropped. There is no
            // subscription that could fail.
            Self::Memory(_) => {}
            Self::Redis(broker) => broker.resubscribe(channel),
        }
    }

    /// Reads a page of a channel's stream. The page shows the stream at one moment.
    pub async fn read(&self, channel: &ChannelName, retention: Retention, range: ReadRange, limit: PageLimit) -> Result<Page, BrokerError> {
        each!(self, broker => broker.read(channel, retention, range, limit).await)
    }

    /// Deletes the history of a channel. Its epoch and its offsets continue.
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        each!(self, broker => broker.clear(channel).await)
    }

    /// Adds a connection to the presence of a channel.
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        each!(self, broker => broker.presence_add(channel, info).await)
    }

    /// Removes a connection from the presence of a channel.
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        each!(self, broker => broker.presence_remove(channel, connection).await)
    }

    /// Returns at most `limit` connections that are present in a channel, in no particular order.
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        each!(self, broker => broker.presence(channel, limit).await)
    }

    /// Counts the connections and the users that are present in a channel.
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        each!(self, broker => broker.presence_stats(channel).await)
    }

    /// Records that this node has subscribers of a channel. Idempotent.
    pub async fn hold(&self, channel: &ChannelName) -> Result<Hold, BrokerError> {
        each!(self, broker => broker.hold(channel).await)
    }

    /// Records that this node has no subscribers of a channel. If no other node has, this node has [`NodeTask::Vacate`] to do.
    pub async fn release(&self, channel: &ChannelName) -> Result<Release, BrokerError> {
        each!(self, broker => broker.release(channel).await)
    }

    /// Ends an occupation of a channel if no node has had subscribers for the time `linger`.
    pub async fn vacate(&self, channel: &ChannelName, generation: u64, linger: Duration) -> Result<Vacate, BrokerError> {
        each!(self, broker => broker.vacate(channel, generation, linger).await)
    }

    /// Lists at most `limit` active channels in byte order: those whose name matches `pattern` (`*` matches any number of characters, `?`
    /// matches one) and follows the name `after`.
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        each!(self, broker => broker.channels(pattern, after, limit).await)
    }

    /// Stores a subscription for all later connects of a user. It replaces the user's stored subscription to the same channel.
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        each!(self, broker => broker.put_user_subscription(user, subscription).await)
    }

    /// Deletes a stored subscription. Returns whether it existed.
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        each!(self, broker => broker.delete_user_subscription(user, channel).await)
    }

    /// The stored subscriptions of a user, without those that have expired.
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        each!(self, broker => broker.user_subscriptions(user).await)
    }

    /// Revokes tokens. The revocation is stored for the time `ttl`. It replaces an earlier one of the same tokens, but never shortens it.
    pub async fn revoke(&self, target: &RevocationTarget, revocation: Revocation, ttl: Duration) -> Result<(), BrokerError> {
        each!(self, broker => broker.revoke(target, revocation, ttl).await)
    }

    /// The stored revocation of these tokens, if there is one.
    pub async fn revoked(&self, target: &RevocationTarget) -> Result<Option<Revocation>, BrokerError> {
        each!(self, broker => broker.revoked(target).await)
    }

    /// Begins an attempt to carry a call out. If it is the first, this attempt carries the call out, and repeats find it running until
    /// [`Self::end_call`] or the end of its lease. After an error other than [`BrokerError::Unavailable`] and [`BrokerError::LimitExceeded`],
    /// or if this future is dropped, the attempt may have begun.
    pub async fn begin_call(&self, key: &CallKey, attempt: Attempt) -> Result<CallState, BrokerError> {
        each!(self, broker => broker.begin_call(key, attempt).await)
    }

    /// Ends an attempt. Does nothing and returns false if another attempt has taken over since. An answer that is kept stays.
    pub async fn end_call(&self, key: &CallKey, attempt: Attempt, end: CallEnd) -> Result<bool, BrokerError> {
        each!(self, broker => broker.end_call(key, attempt, end).await)
    }

    /// Longest time that [`Self::begin_call`] and [`Self::end_call`] take.
    pub fn longest_command(&self) -> Duration {
        match self {
            Self::Memory(_) => Duration::ZERO,
            Self::Redis(broker) => broker.longest_command(),
        }
    }

    /// The nodes of the cluster. The memory broker has none.
    pub fn nodes(&self) -> Option<&Nodes> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(broker) => Some(broker.nodes()),
        }
    }

    /// The queues. The memory broker has none, and so has a node whose configuration names none.
    pub fn queues(&self) -> Option<&Arc<RedisQueues>> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(broker) => broker.queues(),
        }
    }

    /// Whether publications reach subscribers now.
    pub fn readiness(&self) -> Readiness {
        each!(self, broker => broker.readiness())
    }

    /// Statistics of the broker, for metrics.
    pub fn stats(&self) -> BrokerStats {
        each!(self, broker => broker.stats())
    }

    /// Runs the background tasks of the broker (expiry, connections to the store) until cancelled.
    pub async fn run(&self, stop: tokio_util::sync::CancellationToken) {
        each!(self, broker => broker.run(stop).await);
    }
}
