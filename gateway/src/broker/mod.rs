//! The broker: publications, histories, presence and stored subscriptions, and the mailboxes through which they reach the workers.
//!
//! Two guarantees: in every mailbox, the deliveries of a channel have the order of its offsets. A delivery that does not fit is never lost
//! silently: the
//! mailbox marks its channel as dirty. The consumer of the mailbox detects gaps.

mod cause;
mod glob;
pub mod mailbox;
mod memory;
mod name_hasher;
mod reads;
mod redis;
mod stats;
mod types;

#[cfg(feature = "testing")]
pub use self::redis::internals;
#[cfg(feature = "testing")]
pub(crate) use self::redis::simulated;
use futures_util::future::{Either, ready};
use gateway_core::model::{
    ChannelName, ClientInfo, ConnectionId, Page, PageLimit, PresenceStats, ReadRange, Retention, Revocation, UserId, WorkerId,
};
pub use mailbox::{Check, Delivery, Dropped, Mailbox, MailboxStats, Post};
pub use memory::{MemoryBroker, MemoryLimits};
pub(crate) use name_hasher::NameHasher;
pub use reads::Reads;
pub use redis::{
    Address as RedisAddress, Lease, NodeId, NodeRecord, Nodes, OrphanedPresence, PresenceStep, RedisBroker, RedisConfig, Sweep,
};
pub use stats::{BrokerStats, RedisStats, Trimmed};
use std::{sync::Arc, time::Duration};
pub use types::{Announcement, BrokerError, ChannelSummary, IdempotencyKey, NewPublication, Published, Readiness, UserSubscription};

/// The broker that the settings choose. An enum, so that its methods need no boxed futures.
pub enum Broker {
    /// In this process; for one node.
    Memory(MemoryBroker),
    /// In Redis; for all nodes of a cluster.
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
    /// Stores (with retention) and delivers a publication. With retention, its offset is its place in the order of the channel.
    pub async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Result<Published, BrokerError> {
        self.hand_over(channel, publication).await?.await
    }

    /// Hands a publication over. The inner future resolves like [`Self::publish`]. Publications of a channel are stored in the order in
    /// which they are handed
    /// over, so a caller with many of them need not wait for each.
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

    /// Delivers to subscribers at most once. Not stored.
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        each!(self, broker => broker.announce(channel, announcement).await)
    }

    /// Resolves when every later publication of the channel will reach this worker's mailbox. Idempotent. `retention` is the channel's;
    /// without it, nobody can
    /// detect a loss.
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, retention: Option<Retention>) -> Result<(), BrokerError> {
        each!(self, broker => broker.subscribe(channel, worker, retention).await)
    }

    /// Ends the subscription of a worker. Deliveries on their way may still arrive.
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        each!(self, broker => broker.unsubscribe(channel, worker));
    }

    /// Subscribes to a channel again, because a worker found that its deliveries are missing. The broker then checks for lost publications.
    pub fn resubscribe(&self, channel: &ChannelName) {
        match self {
            // In memory, nothing can be lost between the streams and the workers.
            Self::Memory(_) => {}
            Self::Redis(broker) => broker.resubscribe(channel),
        }
    }

    /// Reads a channel's stream at one moment.
    pub async fn read(&self, channel: &ChannelName, retention: Retention, range: ReadRange, limit: PageLimit) -> Result<Page, BrokerError> {
        each!(self, broker => broker.read(channel, retention, range, limit).await)
    }

    /// Removes the kept publications; epoch and offsets continue.
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        each!(self, broker => broker.clear(channel).await)
    }

    /// Adds a connection to presence.
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        each!(self, broker => broker.presence_add(channel, info).await)
    }

    /// Removes a connection from presence.
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        each!(self, broker => broker.presence_remove(channel, connection).await)
    }

    /// At most `limit` present connections, in no particular order.
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        each!(self, broker => broker.presence(channel, limit).await)
    }

    /// The number of present connections and users.
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        each!(self, broker => broker.presence_stats(channel).await)
    }

    /// Active channels whose name matches `pattern` (`*` any run, `?` one character), after the name `after`, in byte order; at most
    /// `limit`.
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        each!(self, broker => broker.channels(pattern, after, limit).await)
    }

    /// Stores a subscription for all later connects of a user. It replaces one to the same channel.
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        each!(self, broker => broker.put_user_subscription(user, subscription).await)
    }

    /// Deletes a stored subscription. Returns whether it existed.
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        each!(self, broker => broker.delete_user_subscription(user, channel).await)
    }

    /// The stored subscriptions of a user that have not expired.
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        each!(self, broker => broker.user_subscriptions(user).await)
    }

    /// Revokes the tokens of a user. The revocation is stored for the time `ttl`.
    pub async fn revoke(&self, user: &UserId, revocation: Revocation, ttl: Duration) -> Result<(), BrokerError> {
        each!(self, broker => broker.revoke(user, revocation, ttl).await)
    }

    /// The stored revocation of a user's tokens, if there is one.
    pub async fn revoked(&self, user: &UserId) -> Result<Option<Revocation>, BrokerError> {
        each!(self, broker => broker.revoked(user).await)
    }

    /// The nodes of the cluster. None with the memory broker.
    pub fn nodes(&self) -> Option<&Nodes> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(broker) => Some(broker.nodes()),
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
