//! The trait of services that answer calls.

use crate::link::{Call, Event, NO_SUCH_METHOD};
use serde_json::value::RawValue;
use std::future::Future;

/// The error with which a service answers a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFailure {
    /// The service's own code, 400 to 999, or [`NO_SUCH_METHOD`].
    pub code: u32,
    /// Explains the error to the frontend's developer.
    pub message: String,
    /// Whether the same call may succeed later.
    pub temporary: bool,
}

impl CallFailure {
    /// A permanent error: the same call would fail again, so the frontend has to change it.
    pub fn refused(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), temporary: false }
    }

    /// The service has no such method.
    pub fn no_such_method(message: impl Into<String>) -> Self {
        Self::refused(NO_SUCH_METHOD, message)
    }

    /// An error that may not occur again: the same call may succeed later.
    pub fn temporary(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), temporary: true }
    }
}

/// The reply to a call.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Any JSON, which the frontend gets.
    pub data: Box<RawValue>,
    /// Replaces what the gateway keeps with the connection, [`Call::meta`] of its later calls: JSON of at most 1 KiB, `null` for nothing. `None`: nothing
    /// changes.
    pub meta: Option<Box<RawValue>>,
}

impl Answer {
    /// A reply that also replaces what the gateway keeps with the connection.
    pub fn with_meta(data: Box<RawValue>, meta: Box<RawValue>) -> Self {
        Self { data, meta: Some(meta) }
    }
}

impl From<Box<RawValue>> for Answer {
    fn from(data: Box<RawValue>) -> Self {
        Self { data, meta: None }
    }
}

/// The result of a call: the data of the reply, or an [`Answer`].
pub type CallResult<T = Box<RawValue>> = Result<T, CallFailure>;

/// Answers calls and handles events. An async function `Fn(Call) -> CallResult` is a service too, and so is one that returns an [`Answer`].
pub trait Service: Send + Sync + 'static {
    /// Answers one call. The future is dropped if the answer is no longer needed: the frontend cancelled or left, the deadline passed, or
    /// the link was lost. Spawn a task for work that must continue then.
    fn call(&self, call: Call) -> impl Future<Output = CallResult<Answer>> + Send;

    /// Handles one event. The default ignores it.
    fn event(&self, event: Event) -> impl Future<Output = ()> + Send {
        drop(event);
        std::future::ready(())
    }
}

impl<F, A, T> Service for F
where
    F: Fn(Call) -> A + Send + Sync + 'static,
    A: Future<Output = CallResult<T>> + Send,
    T: Into<Answer>,
{
    fn call(&self, call: Call) -> impl Future<Output = CallResult<Answer>> + Send {
        let answered = self(call);
        async { answered.await.map(Into::into) }
    }
}
