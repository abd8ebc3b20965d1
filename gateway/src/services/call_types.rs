//! Who calls a service, and what the call returns.

use gateway_core::model::{ConnectionId, Data, Refusal, UserId};

/// How an instance answers.
pub(crate) type Answer = Result<Data, CallError>;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user behind the connection.
    pub user: UserId,
    /// The connection.
    pub connection: ConnectionId,
    /// W3C trace context.
    pub traceparent: Option<Box<str>>,
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The gateway's reason, from the error table.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The service's own.
    #[error("{code}: {message}")]
    Service {
        /// 400 to 999; 104: it has no such method.
        code: u32,
        /// For the frontend's developer; at most 1 KiB.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
}
