//! Calls and events in flight on one link.

use crate::client::link::context::Context;
use crate::client::link::counts::increment;
use crate::client::link::service::{Answer, CallFailure, CallResult, Service};
use crate::link::{Call, CallError, Event, Reply, ToGateway};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Code of a call that is refused because no credit is left.
const NO_CREDIT: u32 = 503;
/// Code of a call whose handler panicked.
const HANDLER_PANICKED: u32 = 500;

#[derive(Debug)]
enum Outcome {
    Answered(CallResult<Answer>),
    Abandoned,
    EventHandled,
}

/// Runs calls and events concurrently, up to the credit. Dropping this drops them.
pub(super) struct Calls<S> {
    context: Arc<Context<S>>,
    tasks: JoinSet<Outcome>,
    /// The id of the call that each task answers; `None` for an event.
    call_ids: HashMap<Id, Option<u64>>,
    cancels: HashMap<u64, CancellationToken>,
}

impl<S: Service> Calls<S> {
    pub(super) fn new(context: Arc<Context<S>>) -> Self {
        Self { context, tasks: JoinSet::new(), call_ids: HashMap::new(), cancels: HashMap::new() }
    }

    /// Starts a call. Returns an error frame if no credit is left or a call with its id is in flight.
    pub(super) fn start_call(&mut self, call: Call) -> Option<ToGateway> {
        let id = call.id;
        if self.is_full() || self.cancels.contains_key(&id) {
            increment(&self.context.counts.refused_no_credit);
            return Some(error_frame(id, CallFailure::temporary(NO_CREDIT, "this instance has no credit left; try again later")));
        }
        let cancel = CancellationToken::new();
        self.cancels.insert(id, cancel.clone());
        let context = self.context.clone();
        let left = Duration::from_millis(call.deadline_ms);
        self.spawn(Some(id), async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Outcome::Abandoned,
                answered = timeout(left, context.service.call(call)) => answered.map_or(Outcome::Abandoned, Outcome::Answered),
            }
        });
        None
    }

    /// Starts to handle an event, or drops it if no credit is left.
    pub(super) fn start_event(&mut self, event: Event) {
        if self.is_full() {
            increment(&self.context.counts.events_dropped);
            return;
        }
        let context = self.context.clone();
        self.spawn(None, async move {
            context.service.event(event).await;
            Outcome::EventHandled
        });
    }

    pub(super) fn cancel(&mut self, id: u64) {
        if let Some(cancel) = self.cancels.get(&id) {
            cancel.cancel();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until a call or an event has ended. Returns the frame that answers it, if there is one. The caller must then return one credit.
    pub(super) async fn next_ended(&mut self) -> Option<ToGateway> {
        let ended = self.tasks.join_next_with_id().await?;
        self.context.activity.send_modify(|now| now.running -= 1);
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let call = self.call_ids.remove(&id).flatten();
        if let Some(call) = call {
            self.cancels.remove(&call);
        }
        let counts = &self.context.counts;
        match (ended, call) {
            (Ok((_, Outcome::Answered(answer))), Some(id)) => {
                increment(&counts.answered);
                let reply = |Answer { data, meta }| ToGateway::Reply(Reply { id, data, meta });
                Some(answer.map_or_else(|failure| error_frame(id, failure), reply))
            }
            (Err(error), Some(id)) => {
                tracing::error!(%error, call = id, "the handler of a call panicked");
                increment(&counts.answered);
                Some(error_frame(id, CallFailure::refused(HANDLER_PANICKED, "the service failed while it handled the call")))
            }
            (Err(error), None) => {
                tracing::error!(%error, "the handler of an event panicked");
                increment(&counts.events);
                None
            }
            (Ok((_, Outcome::EventHandled)), _) => {
                increment(&counts.events);
                None
            }
            (Ok(_), _) => {
                increment(&counts.abandoned);
                None
            }
        }
    }

    fn spawn(&mut self, call: Option<u64>, work: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.call_ids.insert(task.id(), call);
        self.context.activity.send_modify(|now| now.running += 1);
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= self.context.config.credit as usize
    }
}

impl<S> Drop for Calls<S> {
    fn drop(&mut self) {
        let calls = self.call_ids.values().flatten().count();
        let events = self.call_ids.len() - calls;
        self.context.counts.abandoned.fetch_add(calls as u64, Ordering::Relaxed);
        self.context.counts.events_dropped.fetch_add(events as u64, Ordering::Relaxed);
        self.context.activity.send_modify(|now| now.running -= calls + events);
    }
}

/// The frame that answers a call with an error.
pub(super) fn error_frame(id: u64, failure: CallFailure) -> ToGateway {
    ToGateway::Error(CallError { id, code: failure.code, message: failure.message, temporary: failure.temporary })
}
