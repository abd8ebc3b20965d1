//! Where publications, history, presence and stored subscriptions live, and the mailboxes through which they reach the workers.
//!
//! The broker promises: the order of a channel's deliveries in every mailbox is the order of its offsets; a delivery that does not
//! fit is never lost in silence, the channel is marked dirty for that worker instead. Whoever consumes the mailbox detects gaps.

mod cause;
mod glob;
pub mod mailbox;
mod memory;
mod reads;
mod redis;
mod revocation;
mod stats;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod fixtures;

#[cfg(test)]
pub(crate) use self::redis::simulated;
use crate::model::{ChannelName, ClientInfo, ConnectionId, Data, Epoch, ErrorCode, Position, Publication, Refusal, Tags, UserId, WorkerId};
use futures_util::future::{Either, ready};
pub use mailbox::{Check, Delivery, Dropped, Mailbox, MailboxStats, Post};
pub use memory::{MemoryBroker, MemoryLimits};
pub use reads::{Age, Reads};
pub use redis::{Address as RedisAddress, Lease, Left, NodeId, NodeRecord, Nodes, RedisBroker, RedisConfig, Sweep};
pub use revocation::Revocation;
pub use stats::{BrokerStats, RedisStats, Trimmed};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What the store keeps of a channel's publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Newest publications that are kept, at least 1.
    pub size: u32,
    /// How long each is kept after the last publication.
    pub ttl: Duration,
}

/// A publication on its way into the store.
#[derive(Clone, Debug)]
pub struct NewPublication {
    /// Opaque JSON.
    pub data: Data,
    /// Beside the data.
    pub tags: Tags,
    /// The frontend that publishes; none for services.
    pub info: Option<Box<ClientInfo>>,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
    /// None: at most once, no position.
    pub retention: Option<Retention>,
    /// The caller's key, so that a repeat is recognised.
    pub idempotency: Option<IdempotencyKey>,
}

/// Recognises a repeated publish into the same channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key: keys of different API keys never meet.
    pub scope: Box<str>,
    /// The key itself, at most 255 bytes.
    pub key: Box<str>,
    /// Digest of the request, so that the same key with another body is refused.
    pub fingerprint: [u8; 32],
}

/// The answer to a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where the publication stands; none without retention.
    pub position: Option<Position>,
    /// An earlier publish with the same idempotency key did it.
    pub replayed: bool,
}

/// Why the broker did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// Surely not carried out, and never will be.
    #[error("the broker is unavailable: {0}")]
    Unavailable(Box<str>),
    /// It may have been carried out.
    #[error("the broker did not confirm in time")]
    OutcomeUnknown,
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The first request with this idempotency key has not ended.
    #[error("the first request with this idempotency key is still running")]
    IdempotencyInProgress,
    /// A configured bound would be exceeded.
    #[error("{0}")]
    LimitExceeded(&'static str),
}

impl From<BrokerError> for Refusal {
    /// What is told outside. The cause goes into the log.
    fn from(error: BrokerError) -> Self {
        cause::log(&error);
        let code = match error {
            BrokerError::Unavailable(_) => ErrorCode::ServiceUnavailable,
            BrokerError::OutcomeUnknown => ErrorCode::OutcomeUnknown,
            BrokerError::IdempotencyMismatch => ErrorCode::IdempotencyMismatch,
            BrokerError::IdempotencyInProgress => ErrorCode::IdempotencyInProgress,
            BrokerError::LimitExceeded(what) => return Refusal::new(ErrorCode::LimitExceeded, what),
        };
        code.into()
    }
}

impl BrokerError {
    /// What a frontend is told of a step that may always be repeated: the official SDKs try again by themselves. The cause goes into the log.
    pub fn told_to_try_again(&self) -> Refusal {
        cause::log(self);
        ErrorCode::Internal.into()
    }
}

/// Which publications to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// None: only epoch, top and forks.
    Top,
    /// Oldest first, from the one after this offset.
    After(u64),
    /// Newest first, from the one before this offset; none: from the newest.
    Before(Option<u64>),
}

/// Bounds of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageLimit {
    /// Publications at most.
    pub entries: usize,
    /// Bytes ([`Publication::size`]) at most; the first publication comes whatever its size.
    pub bytes: usize,
}

impl PageLimit {
    /// The part of each of so many reads that have the bounds of one together.
    #[must_use]
    pub fn shared_by(self, reads: usize) -> Self {
        Self { entries: (self.entries / reads.max(1)).max(1), bytes: self.bytes / reads.max(1) }
    }
}

/// What a read found, at one moment.
#[derive(Clone, Debug)]
pub struct Page {
    /// The current timeline. A read creates the epoch of a channel that has none.
    pub epoch: Epoch,
    /// Offset of the newest publication ever, 0 if none yet.
    pub top: u64,
    /// Where earlier timelines were left, newest first.
    pub forks: Vec<Position>,
    /// In the order asked for.
    pub publications: Vec<Arc<Publication>>,
}

/// Told to the subscribers of a channel, outside its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Somebody subscribed.
    Join(Arc<ClientInfo>),
    /// Somebody left.
    Leave(Arc<ClientInfo>),
}

/// Number of those present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Different users.
    pub users: usize,
}

/// One active channel: it has subscribers on some node, or holds publications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSummary {
    /// Its name.
    pub name: ChannelName,
    /// Its newest position, where it has one.
    pub position: Option<Position>,
    /// Publications that are held.
    pub held: usize,
}

/// A subscription that a service made for a user; part of every later connect of that user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSubscription {
    /// Where to.
    pub channel: ChannelName,
    /// Seconds since 1970 when it ends by itself.
    pub expires_at: Option<u64>,
}

impl UserSubscription {
    /// Time that is left at `now` (since 1970).
    pub fn expires_in(&self, now: Duration) -> Option<Duration> {
        self.expires_at.map(|at| Duration::from_secs(at).saturating_sub(now))
    }
}

/// Whether the broker can serve, and since when not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Publishes reach subscribers.
    Ready,
    /// Those of some channels do; the sentence names cause and cure for the others.
    Partly(Box<str>),
    /// They do not; the sentence names cause and cure.
    NotReady(Box<str>),
}

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

/// Locks although a holder may have panicked: what these locks guard is changed in steps that each leave it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
