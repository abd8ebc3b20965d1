//! What a service is to its links.

use crate::link::{Call, Event, NO_SUCH_METHOD};
use serde_json::value::RawValue;
use std::future::Future;

/// Why a call failed, in the service's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFailure {
    /// The service's own code, 400 to 999, or [`NO_SUCH_METHOD`].
    pub code: u32,
    /// For the frontend's developer.
    pub message: String,
    /// Whether the same call may succeed later.
    pub temporary: bool,
}

impl CallFailure {
    /// The call itself has to change first.
    pub fn refused(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), temporary: false }
    }

    /// The service has no such method.
    pub fn no_such_method(message: impl Into<String>) -> Self {
        Self::refused(NO_SUCH_METHOD, message)
    }

    /// The same call may succeed later.
    pub fn temporary(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), temporary: true }
    }
}

/// The answer to a call.
pub type CallResult = Result<Box<RawValue>, CallFailure>;

/// Answers calls and takes events. Async closures `Fn(Call) -> CallResult` are services too.
pub trait Service: Send + Sync + 'static {
    /// Answers one call. The future is dropped when the answer is no longer wanted: the frontend left, the deadline passed
    /// or the link was lost. What must go on regardless belongs into a task of its own.
    fn call(&self, call: Call) -> impl Future<Output = CallResult> + Send;

    /// Takes one event; by default it is passed over.
    fn event(&self, event: Event) -> impl Future<Output = ()> + Send {
        drop(event);
        std::future::ready(())
    }
}

impl<F, A> Service for F
where
    F: Fn(Call) -> A + Send + Sync + 'static,
    A: Future<Output = CallResult> + Send,
{
    fn call(&self, call: Call) -> impl Future<Output = CallResult> + Send {
        self(call)
    }
}
