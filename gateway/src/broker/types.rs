//! Parameters and results of the broker.

use super::cause;
use gateway_core::{
    model::{ChannelName, ClientInfo, ConnectionId, Content, ErrorCode, Position, ProducerNumber, Refusal, Retention, Tags},
    queue::EntryPlace,
};
use std::{sync::Arc, time::Duration};

/// A publication that a caller hands to the broker.
#[derive(Clone, Debug)]
pub struct NewPublication {
    /// The message. The gateway does not interpret it.
    pub content: Content,
    /// The tags; may be empty.
    pub tags: Tags,
    /// The connection that published it. None if a service did.
    pub info: Option<Box<ClientInfo>>,
    /// The trace context of the publish (W3C `traceparent`).
    pub traceparent: Option<Box<str>>,
    /// The limits of the history that stores it. If None, it is not stored: it is delivered at most once, without a position.
    pub retention: Option<Retention>,
    /// What tells a repeat of this publish from a new one.
    pub identity: Option<PublishIdentity>,
}

/// Several publications for the history of one channel, of which all are stored or none.
#[derive(Clone, Debug)]
pub struct NewPublications {
    /// Content and tags of each. At least one, and at most as many as the history keeps.
    pub items: Vec<(Content, Tags)>,
    /// The trace context of the publish (W3C `traceparent`).
    pub traceparent: Option<Box<str>>,
    /// The limits of the history.
    pub retention: Retention,
    /// What tells a repeat of this publish from a new one.
    pub identity: Option<PublishIdentity>,
}

/// What tells a repeat of a publish from a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishIdentity {
    /// The caller's idempotency key.
    Key(IdempotencyKey),
    /// The number of a producer, which also keeps the publishes of the producer in order. Only for publications that are stored.
    Producer(ProducerNumber),
    /// An entry of ingest.
    Ingest(Box<IngestIdentity>),
}

impl PublishIdentity {
    /// The key of a publish that is not stored. The place of an entry has no effect there.
    pub(crate) fn only_key(self) -> Result<IdempotencyKey, BrokerError> {
        match self {
            Self::Key(key) => Ok(key),
            Self::Ingest(entry) if entry.producer.is_none() => Ok(entry.key),
            Self::Producer(_) | Self::Ingest(_) => Err(BrokerError::Unavailable("a publication that is not stored has no producer".into())),
        }
    }
}

// NL-8.10, NL-8.11
/// What tells a repeat of an entry of ingest from a new one. The key is looked at first, then the place of the entry, then the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestIdentity {
    /// The id of the publish.
    pub key: IdempotencyKey,
    /// The place of the entry in its partition. It has an effect only if the publication is stored.
    pub place: EntryPlace,
    /// The number of the entry's producer. Only for publications that are stored.
    pub producer: Option<ProducerNumber>,
}

/// Identifies a publish, so that the broker recognises a repeat into the same channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The name of the API key. Idempotency keys of different API keys are independent.
    pub scope: Box<str>,
    /// The idempotency key, at most 255 bytes.
    pub key: Box<str>,
    /// Digest of the request. The same key with another request is refused.
    pub fingerprint: [u8; 32],
}

/// The answer to a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published<P = Position> {
    /// Where the publication is stored, or with [`Span`](gateway_core::model::Span) several. None if it is not stored, or if it was stored
    /// earlier and its position is forgotten.
    pub position: Option<P>,
    /// Whether an earlier publish with the same identity did the work. This publish then changed nothing.
    pub replayed: bool,
}

impl<P> Published<P> {
    /// The same answer with another kind of position.
    pub fn map<Q>(self, position: impl FnOnce(P) -> Q) -> Published<Q> {
        Published { position: self.position.map(position), replayed: self.replayed }
    }
}

/// An error of the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    // NL-2.7
    /// The broker did not execute the request and never will.
    #[error("the broker is unavailable: {0}")]
    Unavailable(Box<str>),
    // NL-2.8
    /// The broker may have executed the request.
    #[error("the broker did not confirm in time")]
    OutcomeUnknown,
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The first request with this idempotency key is still running.
    #[error("the first request with this idempotency key is still running")]
    IdempotencyInProgress,
    /// Publishes of the producer are missing before this one.
    #[error("publishes of the producer from number {expected} on are missing")]
    SequenceGap {
        /// The number that has to come next.
        expected: u64,
    },
    /// The producer has begun a higher epoch.
    #[error("the producer has begun epoch {epoch}")]
    ProducerFenced {
        /// The producer's epoch.
        epoch: u64,
    },
    /// The channel has passed this entry of ingest: it was published, or it is a dead letter.
    #[error("the channel has passed this entry of ingest")]
    IngestPassed,
    /// The channel has not passed the entry of ingest before this one.
    #[error("the channel has not passed the entry of ingest before this one")]
    IngestEarly,
    /// The partition of ingest has an owner with a higher epoch.
    #[error("the partition of ingest has an owner with epoch {epoch}")]
    IngestStale {
        /// The epoch of that owner.
        epoch: u64,
    },
    /// The request would exceed a configured limit, which the text names.
    #[error("{0}")]
    LimitExceeded(&'static str),
    /// The partition of the queue has as many entries as it may have.
    #[error("the queue is full: {length} entries wait in this partition")]
    QueueFull {
        /// Number of entries.
        length: u64,
    },
}

impl From<BrokerError> for Refusal {
    /// The error for the caller of the gateway. Logs the cause.
    fn from(error: BrokerError) -> Self {
        error.log();
        let code = match error {
            BrokerError::Unavailable(_) | BrokerError::IngestPassed | BrokerError::IngestEarly | BrokerError::IngestStale { .. } => {
                ErrorCode::ServiceUnavailable
            }
            BrokerError::OutcomeUnknown => ErrorCode::OutcomeUnknown,
            BrokerError::IdempotencyMismatch => ErrorCode::IdempotencyMismatch,
            BrokerError::IdempotencyInProgress => ErrorCode::IdempotencyInProgress,
            BrokerError::SequenceGap { expected } => return gap(expected),
            BrokerError::ProducerFenced { epoch } => {
                let detail = format!(
                    "The producer has begun epoch {epoch} in this channel. Stop this process if another one took over; otherwise begin a higher epoch."
                );
                return Refusal::new(ErrorCode::ProducerFenced, detail);
            }
            BrokerError::LimitExceeded(what) => return Refusal::new(ErrorCode::LimitExceeded, what),
            BrokerError::QueueFull { length } => {
                let detail = format!("The queue is full: {length} entries wait in this partition. Try again with a growing pause.");
                return Refusal::new(ErrorCode::Overloaded, detail);
            }
        };
        code.into()
    }
}

fn gap(expected: u64) -> Refusal {
    let detail = if expected == 0 {
        "The channel knows no publish of this producer and epoch, so the next number is 0. If earlier ones were acknowledged, begin a higher epoch with what is unacknowledged.".to_owned()
    } else {
        format!("The producer's next number in this channel is {expected}. Send the publishes again from that number on.")
    };
    Refusal { expected: Some(expected), ..Refusal::new(ErrorCode::SequenceGap, detail) }
}

impl BrokerError {
    /// Logs the cause, if the error has one that callers do not see.
    pub fn log(&self) {
        if let Self::Unavailable(cause) = self {
            cause::log(cause);
        }
    }

    /// The error for a frontend's request that is safe to repeat. The official SDKs repeat it. Logs the cause.
    pub fn try_again(&self) -> Refusal {
        self.log();
        ErrorCode::Internal.into()
    }
}

/// A message to the subscribers of a channel that is not part of the channel's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// A client subscribed.
    Join(Arc<ClientInfo>),
    /// A client left.
    Leave(Arc<ClientInfo>),
}

/// Names an entry of the registry: what has ended if its node dies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegistryKey {
    /// A connection.
    Connection(ConnectionId),
    /// A subscription of a connection.
    Subscription {
        /// The connection.
        connection: ConnectionId,
        /// Distinguishes the subscriptions of one connection.
        number: u64,
        /// The channel.
        channel: ChannelName,
    },
}

/// The hold of this node on a channel: it has subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The generation of the channel's occupation. It grows with each occupation of the channel; at most 2^53.
    pub generation: u64,
    /// Whether the occupation began with this hold. A repeat of the hold says the same, because the first answer may have been lost.
    pub began: bool,
}

/// The state of a channel after a node ended its hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Other nodes have subscribers.
    Occupied,
    /// No node has subscribers of the occupation with this generation.
    Vacant(u64),
    /// The channel has no occupation: the store lost it.
    Unoccupied,
}

/// The state of an occupation after a node tried to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacate {
    /// The occupation is over, now or before.
    Over,
    /// A node has subscribers.
    Occupied,
    /// The channel is vacant, but not for long enough. The node tries again after this time, which is more than zero.
    Lingers(Duration),
}

/// What a node has to do for a channel, and another node has to do after its death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeTask {
    /// End the hold on the channel.
    Release(ChannelName),
    /// End the occupation with this generation, unless a node has subscribers by then, and announce the end.
    Vacate(ChannelName, u64),
}

/// An active channel: it has subscribers on some node, or publications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSummary {
    /// The channel's name.
    pub name: ChannelName,
    /// The newest position, if the channel has one.
    pub position: Option<Position>,
    /// Number of stored publications.
    pub held: usize,
}

/// A subscription that a service stored for a user. Every later connect of that user includes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSubscription {
    /// The channel.
    pub channel: ChannelName,
    /// When the subscription ends, in seconds since 1970. None if it has no end.
    pub expires_at: Option<u64>,
}

impl UserSubscription {
    /// The remaining time of the subscription at `now`, the time since 1970. None if it has no end.
    pub fn expires_in(&self, now: Duration) -> Option<Duration> {
        self.expires_at.map(|at| Duration::from_secs(at).saturating_sub(now))
    }
}

/// Whether the broker works, and the problem if it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Publications reach subscribers.
    Ready,
    /// Publications of some channels reach subscribers. The text names the problem of the other channels and its cure.
    Partly(Box<str>),
    /// Publications do not reach subscribers. The text names the problem and its cure.
    NotReady(Box<str>),
}
