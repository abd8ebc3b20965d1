//! The trait of services that answer calls.

use crate::link::{Call, Event, NO_SUCH_METHOD};
use serde_json::value::RawValue;
use std::future::Future;
use std::time::Duration;

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

/// How the handling of an event ended. It matters for events from a queue, which have an [`attempt`](Event::attempt).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    /// It is processed. The gateway deletes it.
    Done,
    /// It is not processed, and may be later: the gateway delivers it again, after this pause or after one that it chooses.
    TryAgain(Option<Duration>),
    /// It never will be processed. It becomes a dead letter, which an operator can deliver again.
    Refused,
}

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

    /// Handles one event, and tells how that ended. The default calls [`Self::event`], and the event is done once that returns. The client tells the
    /// gateway. If the future is dropped because the link was lost, or panics, the gateway delivers an event from a queue again, with the same id.
    fn handle_event(&self, event: Event) -> impl Future<Output = EventOutcome> + Send {
        async {
            self.event(event).await;
            EventOutcome::Done
        }
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
