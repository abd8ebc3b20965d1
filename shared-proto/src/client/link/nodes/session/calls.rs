//! Calls and events under way on one link.

use super::{CallFailure, Service, Shared};
use crate::link::{Call, CallError, Event, Reply, ToGateway};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Code of a call that found no credit left.
const BEYOND_CREDIT: u32 = 503;
/// Code of a call whose handler broke off.
const BROKEN: u32 = 500;

#[derive(Debug)]
enum Outcome {
    Answered(Result<Box<serde_json::value::RawValue>, CallFailure>),
    Abandoned,
    EventTaken,
}

/// Runs calls side by side up to the credit. Dropping it drops them all.
pub(super) struct Calls<S> {
    shared: Arc<Shared<S>>,
    tasks: JoinSet<Outcome>,
    /// The call that a task answers; none for an event.
    subjects: HashMap<Id, Option<u64>>,
    cancels: HashMap<u64, CancellationToken>,
}

impl<S: Service> Calls<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        Self { shared, tasks: JoinSet::new(), subjects: HashMap::new(), cancels: HashMap::new() }
    }

    /// Begins a call; answers the frame that refuses it where the credit is used up or its id is taken.
    pub(super) fn begin(&mut self, call: Call) -> Option<ToGateway> {
        let id = call.id;
        if self.is_full() || self.cancels.contains_key(&id) {
            count(&self.shared.counts.beyond_credit);
            return Some(refusal(id, CallFailure::temporary(BEYOND_CREDIT, "this instance has no credit left")));
        }
        let cancel = CancellationToken::new();
        self.cancels.insert(id, cancel.clone());
        let shared = self.shared.clone();
        let left = Duration::from_millis(call.deadline_ms);
        self.spawn(Some(id), async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Outcome::Abandoned,
                answered = timeout(left, shared.service.call(call)) => answered.map_or(Outcome::Abandoned, Outcome::Answered),
            }
        });
        None
    }

    /// Begins to handle an event, or drops it where the credit is used up.
    pub(super) fn take(&mut self, event: Event) {
        if self.is_full() {
            count(&self.shared.counts.events_dropped);
            return;
        }
        let shared = self.shared.clone();
        self.spawn(None, async move {
            shared.service.event(event).await;
            Outcome::EventTaken
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

    /// Waits until one has ended; answers its frame, if it has one. Each end gives one credit back.
    pub(super) async fn ended(&mut self) -> Option<ToGateway> {
        let ended = self.tasks.join_next_with_id().await?;
        self.shared.activity.send_modify(|now| now.running -= 1);
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let call = self.subjects.remove(&id).flatten();
        if let Some(call) = call {
            self.cancels.remove(&call);
        }
        let counts = &self.shared.counts;
        match (ended, call) {
            (Ok((_, Outcome::Answered(answer))), Some(id)) => {
                count(&counts.answered);
                Some(answer.map_or_else(|failure| refusal(id, failure), |data| ToGateway::Reply(Reply { id, data })))
            }
            (Err(error), Some(id)) => {
                tracing::error!(%error, call = id, "a call's handler broke off");
                count(&counts.answered);
                Some(refusal(id, CallFailure::refused(BROKEN, "the service failed while it answered")))
            }
            (Err(error), None) => {
                tracing::error!(%error, "an event's handler broke off");
                count(&counts.events);
                None
            }
            (Ok((_, Outcome::EventTaken)), _) => {
                count(&counts.events);
                None
            }
            (Ok(_), _) => {
                count(&counts.abandoned);
                None
            }
        }
    }

    fn spawn(&mut self, call: Option<u64>, work: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.subjects.insert(task.id(), call);
        self.shared.activity.send_modify(|now| now.running += 1);
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= self.shared.config.credit as usize
    }
}

impl<S> Drop for Calls<S> {
    fn drop(&mut self) {
        let calls = self.subjects.values().flatten().count();
        let events = self.subjects.len() - calls;
        self.shared.counts.abandoned.fetch_add(calls as u64, Ordering::Relaxed);
        self.shared.counts.events_dropped.fetch_add(events as u64, Ordering::Relaxed);
        self.shared.activity.send_modify(|now| now.running -= calls + events);
    }
}

/// The frame that fails a call.
pub(super) fn refusal(id: u64, failure: CallFailure) -> ToGateway {
    ToGateway::Error(CallError { id, code: failure.code, message: failure.message, temporary: failure.temporary })
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
