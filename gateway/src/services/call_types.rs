//! Types of a call: its caller and its result.

use gateway_core::model::{ConnectionId, Data, Refusal, UserId};

/// The result of a call.
pub(crate) type CallResult = Result<Data, CallError>;

/// The caller: a connection of a frontend.
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
        /// A code from 400 to 999, or 104 if the service does not have the method.
        code: u32,
        /// A text for the developer of the frontend, at most 1 KiB.
        message: String,
        /// Whether a repeat may succeed.
        temporary: bool,
    },
}
