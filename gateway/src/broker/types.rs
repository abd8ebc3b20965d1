//! What goes into a broker and comes out of it.

use super::cause;
use gateway_core::model::{ChannelName, ClientInfo, Data, ErrorCode, Position, Refusal, Retention, Tags};
use std::{sync::Arc, time::Duration};

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
    // NL-2.7
    /// Surely not carried out, and never will be.
    #[error("the broker is unavailable: {0}")]
    Unavailable(Box<str>),
    // NL-2.8
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
    /// The answer for callers. The cause goes into the log.
    fn from(error: BrokerError) -> Self {
        error.log();
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
    fn log(&self) {
        if let Self::Unavailable(cause) = self {
            cause::log(cause);
        }
    }

    /// The answer for a frontend whose step may always be repeated: the official SDKs repeat it. The cause goes into the log.
    pub fn try_again(&self) -> Refusal {
        self.log();
        ErrorCode::Internal.into()
    }
}

/// Told to the subscribers of a channel, outside its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Somebody subscribed.
    Join(Arc<ClientInfo>),
    /// Somebody left.
    Leave(Arc<ClientInfo>),
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
