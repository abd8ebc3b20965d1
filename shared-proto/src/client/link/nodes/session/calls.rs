//! Calls and events in flight on one link.

use crate::client::link::context::Context;
use crate::client::link::counts::increment;
use crate::client::link::service::{Answer, CallFailure, CallResult, EventOutcome, Service};
use crate::link::{Call, CallError, Done, Event, Failed, Reply, ToGateway};
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
    EventHandled(EventOutcome),
}

/// What a task works on.
#[derive(Debug)]
enum Work {
    /// The call with this id.
    Call(u64),
    /// An event. One from a queue has an id, which the gateway waits for.
    Event(Option<String>),
}

/// Runs calls and events concurrently, up to the credit. Dropping this drops them.
pub(super) struct Calls<S> {
    context: Arc<Context<S>>,
    tasks: JoinSet<Outcome>,
    work: HashMap<Id, Work>,
    cancels: HashMap<u64, CancellationToken>,
}

impl<S: Service> Calls<S> {
    pub(super) fn new(context: Arc<Context<S>>) -> Self {
        Self { context, tasks: JoinSet::new(), work: HashMap::new(), cancels: HashMap::new() }
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
        self.spawn(Work::Call(id), async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Outcome::Abandoned,
                answered = timeout(left, context.service.call(call)) => answered.map_or(Outcome::Abandoned, Outcome::Answered),
            }
        });
        None
    }

    /// Starts to handle an event. If no credit is left, it drops the event, and returns a frame for one from a queue.
    pub(super) fn start_event(&mut self, event: Event) -> Option<ToGateway> {
        let queued = event.attempt.and_then(|_| event.id.clone());
        if self.is_full() {
            increment(&self.context.counts.events_dropped);
            return queued.map(|id| event_frame(id, EventOutcome::TryAgain(None)));
        }
        let context = self.context.clone();
        self.spawn(Work::Event(queued), async move { Outcome::EventHandled(context.service.handle_event(event).await) });
        None
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
        let counts = &self.context.counts;
        match self.work.remove(&id)? {
            Work::Call(call) => {
                self.cancels.remove(&call);
                match ended {
                    Ok((_, Outcome::Answered(answer))) => {
                        increment(&counts.answered);
                        let reply = |Answer { data, meta }| ToGateway::Reply(Reply { id: call, data, meta });
                        Some(answer.map_or_else(|failure| error_frame(call, failure), reply))
                    }
                    Ok(_) => {
                        increment(&counts.abandoned);
                        None
                    }
                    Err(error) => {
                        tracing::error!(%error, call, "the handler of a call panicked");
                        increment(&counts.answered);
                        Some(error_frame(call, CallFailure::refused(HANDLER_PANICKED, "the service failed while it handled the call")))
                    }
                }
            }
            Work::Event(queued) => {
                increment(&counts.events);
                let outcome = match ended {
                    Ok((_, Outcome::EventHandled(outcome))) => outcome,
                    Ok(_) => EventOutcome::TryAgain(None),
                    Err(error) => {
                        tracing::error!(%error, "the handler of an event panicked");
                        EventOutcome::TryAgain(None)
                    }
                };
                queued.map(|id| event_frame(id, outcome))
            }
        }
    }

    fn spawn(&mut self, work: Work, task: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(task);
        self.work.insert(task.id(), work);
        self.context.activity.send_modify(|now| now.running += 1);
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= self.context.config.credit as usize
    }
}

impl<S> Drop for Calls<S> {
    fn drop(&mut self) {
        let calls = self.work.values().filter(|work| matches!(work, Work::Call(_))).count();
        let events = self.work.len() - calls;
        self.context.counts.abandoned.fetch_add(calls as u64, Ordering::Relaxed);
        self.context.counts.events_dropped.fetch_add(events as u64, Ordering::Relaxed);
        self.context.activity.send_modify(|now| now.running -= calls + events);
    }
}

/// The frame that answers a call with an error.
pub(super) fn error_frame(id: u64, failure: CallFailure) -> ToGateway {
    ToGateway::Error(CallError { id, code: failure.code, message: failure.message, temporary: failure.temporary })
}

/// The frame that ends an event from a queue.
fn event_frame(id: String, outcome: EventOutcome) -> ToGateway {
    let retry_after_ms = |pause: Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        EventOutcome::Done => ToGateway::Done(Done { id }),
        EventOutcome::TryAgain(pause) => ToGateway::Failed(Failed { id, temporary: true, retry_after_ms: pause.map(retry_after_ms) }),
        EventOutcome::Refused => ToGateway::Failed(Failed { id, temporary: false, retry_after_ms: None }),
    }
}
