//! Types of a call: who makes it, and its result.

use gateway_core::model::{ConnectionId, Data, Refusal, UserId};

/// The result of a call.
pub(crate) type CallResult = Result<Data, CallError>;

/// Who makes a call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user behind the connection.
    pub user: UserId,
    /// The connection.
    pub connection: ConnectionId,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// An error of the gateway, from the error table.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An error of the service itself.
    #[error("{code}: {message}")]
    Service {
        /// 400 to 999; 104 if it has no such method.
        code: u32,
        /// For the frontend's developer; at most 1 KiB.
        message: String,
        /// Whether a repeat may succeed.
        temporary: bool,
    },
}
