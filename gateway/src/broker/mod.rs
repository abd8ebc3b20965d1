//! Where publications, history, presence and stored subscriptions live, and the mailboxes through which they reach the workers.
//!
//! The broker promises: the order of a channel's deliveries in every mailbox is the order of its offsets; a delivery that does not
//! fit is never lost in silence, the channel is marked dirty for that worker instead. Whoever consumes the mailbox detects gaps.

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
    ChannelName, ClientInfo, ConnectionId, Page, PageLimit, PresenceStats, Retention, Revocation, Span, UserId, WorkerId,
};
pub use mailbox::{Check, Delivery, Dropped, Mailbox, MailboxStats, Post};
pub use memory::{MemoryBroker, MemoryLimits};
pub(crate) use name_hasher::NameHasher;
pub use reads::Reads;
pub use redis::{Address as RedisAddress, Lease, NodeId, NodeRecord, Nodes, OrphanedPresence, RedisBroker, RedisConfig, Sweep};
pub use stats::{BrokerStats, RedisStats, Trimmed};
use std::{sync::Arc, time::Duration};
pub use types::{Announcement, BrokerError, ChannelSummary, IdempotencyKey, NewPublication, Published, Readiness, UserSubscription};

/// The broker that the settings chose. An enum, so that its methods need no boxed futures.
pub enum Broker {
    /// In this process; one node only.
    Memory(MemoryBroker),
    /// In a Redis that all nodes share.
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
    /// Stores (with retention) and delivers a publication. With retention its order among the channel's publications is its offset.
    pub async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Result<Published, BrokerError> {
        self.hand_over(channel, publication).await?.await
    }

    /// Hands a publication over, and answers what resolves as [`Self::publish`] does. Publications of a channel are stored in the order in which they were
    /// handed over; so who has many need not wait for each.
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

    /// Delivers to subscribers, at most once, not stored.
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        each!(self, broker => broker.announce(channel, announcement).await)
    }

    /// Resolves when everything published to the channel from now on will reach this worker's mailbox. Idempotent. `retention` is the channel's: without
    /// it nobody can tell what was lost.
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId, retention: Option<Retention>) -> Result<(), BrokerError> {
        each!(self, broker => broker.subscribe(channel, worker, retention).await)
    }

    /// The worker has no subscriber left. What is under way may still arrive.
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {
        each!(self, broker => broker.unsubscribe(channel, worker));
    }

    /// A worker found by itself that deliveries of this channel stayed away. The broker sees to it that they come, and looks once more at what
    /// was lost.
    pub fn doubt(&self, channel: &ChannelName) {
        match self {
            // Nothing lies between the streams and the workers there.
            Self::Memory(_) => {}
            Self::Redis(broker) => broker.doubt(channel),
        }
    }

    /// Reads a channel's stream, whole and consistent as of one moment.
    pub async fn read(&self, channel: &ChannelName, retention: Retention, span: Span, limit: PageLimit) -> Result<Page, BrokerError> {
        each!(self, broker => broker.read(channel, retention, span, limit).await)
    }

    /// Removes the held publications; epoch and offsets go on.
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        each!(self, broker => broker.clear(channel).await)
    }

    /// Counts a connection as present.
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        each!(self, broker => broker.presence_add(channel, info).await)
    }

    /// Counts it no more.
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        each!(self, broker => broker.presence_remove(channel, connection).await)
    }

    /// Who is present: at most `limit`, in no particular order.
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        each!(self, broker => broker.presence(channel, limit).await)
    }

    /// How many are present.
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        each!(self, broker => broker.presence_stats(channel).await)
    }

    /// Active channels whose name matches `pattern` (`*` any run, `?` one character), in the order of their bytes, after `after`; at most `limit`.
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        each!(self, broker => broker.channels(pattern, after, limit).await)
    }

    /// Remembers a subscription for a user's later connects; replaces one of the same channel.
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        each!(self, broker => broker.put_user_subscription(user, subscription).await)
    }

    /// Forgets it; false if there was none.
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        each!(self, broker => broker.delete_user_subscription(user, channel).await)
    }

    /// What is remembered for a user and has not expired.
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        each!(self, broker => broker.user_subscriptions(user).await)
    }

    /// Tokens of this user are no good any more, as the revocation says, which is remembered for so long.
    pub async fn revoke(&self, user: &UserId, revocation: Revocation, remember: Duration) -> Result<(), BrokerError> {
        each!(self, broker => broker.revoke(user, revocation, remember).await)
    }

    /// How a user's tokens were revoked last, if that is remembered.
    pub async fn revoked(&self, user: &UserId) -> Result<Option<Revocation>, BrokerError> {
        each!(self, broker => broker.revoked(user).await)
    }

    /// The nodes that share the store; none where there is but one.
    pub fn nodes(&self) -> Option<&Nodes> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(broker) => Some(broker.nodes()),
        }
    }

    /// Whether publishes reach subscribers now.
    pub fn readiness(&self) -> Readiness {
        each!(self, broker => broker.readiness())
    }

    /// The broker in figures, for metrics.
    pub fn stats(&self) -> BrokerStats {
        each!(self, broker => broker.stats())
    }

    /// Runs what the broker does in the background (expiry, connections to the store) until cancelled.
    pub async fn run(&self, stop: tokio_util::sync::CancellationToken) {
        each!(self, broker => broker.run(stop).await);
    }
}
