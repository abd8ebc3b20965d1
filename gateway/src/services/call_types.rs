//! Types of a call: its content and its result.

use super::{caller::Caller, routes::route::OrderKey};
use gateway_core::model::{Data, ErrorCode, Meta, MetaChange, Refusal};
use serde_json::value::RawValue;
use shared_proto::link::{Call, Event, FrontendRequest, NO_SUCH_METHOD};
use tokio::time::Instant;

/// The result of a call.
pub(crate) type CallResult = Result<Reply, CallError>;

/// The reply of a service to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Any JSON.
    pub data: Data,
    /// What the service keeps with the connection from now on.
    pub meta: MetaChange,
}

impl From<Data> for Reply {
    fn from(data: Data) -> Self {
        Self { data, meta: MetaChange::Keep }
    }
}

impl Reply {
    /// A reply with a new meta, if `meta` is given. The error says what is wrong with that.
    pub(crate) fn with_meta(data: Data, meta: Option<&RawValue>) -> Result<Self, String> {
        let Some(meta) = meta else { return Ok(data.into()) };
        let meta = Data::parse(meta).map_err(|error| format!("has a meta that {error}"))?;
        Meta::check(meta).map(|meta| Self { data, meta: MetaChange::Set(meta) }).map_err(|error| format!("has a meta that {error}"))
    }
}

/// Which instance or target gets a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    /// The less busy of two random ones.
    LessBusy,
    /// The same, but half of the credit, or of the requests in flight, stays free for other calls.
    LeavingRoom,
    /// The instance that got the key's last call, and another one only if that cannot get calls any more.
    Same(&'a str),
    /// The one that all nodes choose for this key.
    OfKey(&'a str),
}

impl Choice<'_> {
    /// How much of a limit of calls in flight it may use.
    pub(crate) fn share_of(self, limit: usize) -> usize {
        if self == Self::LeavingRoom { limit.div_ceil(2) } else { limit }
    }
}

/// A call on its way to a service.
pub(crate) struct CallRequest<'a> {
    /// The method's name within the service.
    pub(crate) method: &'a str,
    pub(crate) data: Data,
    pub(crate) caller: &'a Caller,
    /// Calls with the same key run one after the other.
    pub(crate) order_key: Option<&'a OrderKey>,
    /// Calls of the caller with the same key are the same call.
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) request: Option<Box<FrontendRequest>>,
    pub(crate) deadline: Instant,
}

impl From<CallRequest<'_>> for Call {
    fn from(call: CallRequest<'_>) -> Self {
        let left = call.deadline.saturating_duration_since(Instant::now());
        Self {
            id: 0,
            method: call.method.into(),
            data: call.data.into(),
            user: call.caller.user.to_string(),
            connection: call.caller.connection.to_string(),
            meta: call.caller.meta(),
            deadline_ms: left.as_millis() as u64,
            traceparent: call.caller.traceparent.as_deref().map(Into::into),
            order_key: call.order_key.map(|key| key.text().as_ref().into()),
            idempotency_key: call.idempotency_key.map(Into::into),
            request: call.request,
        }
    }
}

/// An event of a frontend on its way to a service.
pub(crate) struct EventMessage<'a> {
    pub(crate) data: Data,
    pub(crate) caller: &'a Caller,
    pub(crate) request: Option<Box<FrontendRequest>>,
}

impl From<EventMessage<'_>> for Event {
    fn from(event: EventMessage<'_>) -> Self {
        Self {
            id: None,
            kind: "message".into(),
            method: None,
            attempt: None,
            partition: None,
            key: None,
            generation: None,
            time: None,
            data: event.data.into(),
            user: event.caller.user.to_string(),
            connection: event.caller.connection.to_string(),
            meta: event.caller.meta(),
            traceparent: event.caller.traceparent.as_deref().map(Into::into),
            request: event.request,
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// An error of the gateway, from the error table.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The service answered, and its answer cannot be passed on: the error 1004.
    #[error("{}", .0.detail)]
    BadReply(BadReply),
    /// An error of the service itself.
    #[error("{code}: {message}")]
    Service {
        /// A code from 400 to 999, or 104 if the service does not have the method.
        code: u32,
        /// A text for the developer of the frontend, at most 1 KiB.
        message: String,
        /// Whether a repeat may succeed.
        temporary: bool,
    },
}

/// An answer that cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadReply {
    /// What is wrong, and the cure.
    pub detail: String,
    /// What it says about the call.
    pub cause: BadReplyCause,
}

/// Why an answer cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadReplyCause {
    /// It is not valid. The service perhaps carried the call out.
    Invalid,
    /// The reply is larger than the limit. The service carried the call out.
    TooLarge,
    /// The settings of the gateway are wrong: the service does not know its credentials or the URL. It did not carry the call out.
    WrongSettings,
}

impl From<BadReply> for Refusal {
    fn from(bad: BadReply) -> Self {
        Self::new(ErrorCode::BadReply, bad.detail)
    }
}

/// Codes of a service's own errors.
const OWN_CODES: std::ops::RangeInclusive<u64> = 400..=999;

/// Longest message of a service's own error, in bytes; the rest is cut off.
const MESSAGE_MAX: usize = 1024;

impl CallError {
    /// The error with which a service answered. A code that services may not use makes it a bad reply.
    pub(crate) fn of_service(code: u64, mut message: String, temporary: bool) -> Self {
        match u32::try_from(code) {
            Ok(own) if OWN_CODES.contains(&code) || own == NO_SUCH_METHOD => {
                message.truncate(message.floor_char_boundary(MESSAGE_MAX));
                Self::Service { code: own, message, temporary }
            }
            _ => {
                let (first, last) = (OWN_CODES.start(), OWN_CODES.end());
                Self::bad_reply(format!(
                    "The service failed with code {code}; allowed are {first} to {last}, and {NO_SUCH_METHOD} for an unknown method. Tell its developers."
                ))
            }
        }
    }

    /// The service sent an invalid answer.
    pub(crate) fn bad_reply(detail: impl Into<String>) -> Self {
        Self::BadReply(BadReply { detail: detail.into(), cause: BadReplyCause::Invalid })
    }

    /// The reply of the service is larger than the limit.
    pub(crate) fn reply_too_large(detail: impl Into<String>) -> Self {
        Self::BadReply(BadReply { detail: detail.into(), cause: BadReplyCause::TooLarge })
    }
}
