//! Carries calls with a key out once, and keeps their answers.

use super::kept_answer::{self, Outcome};
use crate::{
    broker::{Attempt, Broker, BrokerError, CallKey, CallState},
    services::{
        call_types::CallResult,
        counters::{Count, Counters},
        webhook::webhook::NodeEnd,
    },
};
use gateway_core::model::{ErrorCode, Refusal};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

#[cfg(test)]
mod tests;

/// How much longer than its call an attempt holds its key, so that it can keep the answer.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// Pauses between two looks at a call that runs elsewhere: each is twice as long as the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(500));

/// Carries calls with a key out once, and keeps their answers.
#[derive(Clone)]
pub(crate) struct Repeats {
    broker: Arc<Broker>,
    /// Largest answer that is kept, in bytes.
    answer_size: usize,
    counters: Arc<Counters>,
    node_end: NodeEnd,
}

/// What an attempt has for the caller.
enum Found {
    Answer(CallResult),
    /// Another attempt runs.
    Running,
}

impl Repeats {
    pub(crate) fn new(broker: Arc<Broker>, answer_size: usize, counters: Arc<Counters>, node_end: NodeEnd) -> Self {
        Self { broker, answer_size, counters, node_end }
    }

    /// The answer to a call: that of an earlier call with the same key, or of `carry_out`. It runs in a task of its own, so it goes on when the caller
    /// leaves; its argument is then cancelled. It must end at the deadline.
    pub(crate) async fn answer<F, C>(&self, key: CallKey, deadline: Instant, carry_out: C) -> CallResult
    where
        F: Future<Output = CallResult> + Send + 'static,
        C: FnOnce(CancellationToken) -> F + Clone + Send + 'static,
    {
        let caller_left = CancellationToken::new();
        let _on_drop = caller_left.clone().drop_guard();
        let mut pause = PAUSES.0;
        loop {
            let (send, found) = oneshot::channel();
            let (this, carry_out, caller_left) = (self.clone(), carry_out.clone(), caller_left.clone());
            let attempt = async move { this.attempt(key, deadline, send, || carry_out(caller_left)).await };
            self.node_end.tasks.spawn(attempt.in_current_span());
            match found.await {
                Ok(Found::Answer(answer)) => return answer,
                Ok(Found::Running) => {}
                // The task panicked, or the node ended.
                Err(_) => return Err(Refusal::from(ErrorCode::Internal).into()),
            }
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                self.counters.add(Count::RepeatInProgress);
                let detail = "The first call with this key still runs. Call again with the same key.";
                return Err(Refusal::new(ErrorCode::IdempotencyInProgress, detail).into());
            }
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    async fn attempt<F>(self, key: CallKey, deadline: Instant, caller: oneshot::Sender<Found>, carry_out: impl FnOnce() -> F)
    where
        F: Future<Output = CallResult>,
    {
        let attempt = Attempt::new(deadline.saturating_duration_since(Instant::now()) + LEASE_MARGIN);
        let found = match timeout_at(deadline, self.broker.begin_call(&key, attempt)).await {
            Ok(Ok(CallState::First)) => return self.carry_out(key, attempt, deadline, caller, carry_out()).await,
            Ok(Ok(CallState::Running)) => Found::Running,
            Ok(Ok(CallState::Done(kept))) => {
                self.counters.add(Count::RepeatAnswered);
                Found::Answer(kept_answer::read(&kept))
            }
            Ok(Ok(CallState::OtherBody)) => {
                self.counters.add(Count::RepeatMismatch);
                let detail = "Another call with this key had other data. Use a new key for a new call.";
                Found::Answer(Err(Refusal::new(ErrorCode::IdempotencyMismatch, detail).into()))
            }
            Ok(Err(error)) => Found::Answer(Err(not_sent(error).into())),
            Err(_) => {
                Found::Answer(Err(not_sent(BrokerError::Unavailable("it did not answer before the deadline of a call".into())).into()))
            }
        };
        // The caller may have left.
        let _ = caller.send(found);
    }

    /// Carries the call out and keeps its answer, before the caller gets it: after that, a repeat finds it on every node.
    async fn carry_out(
        self,
        key: CallKey,
        attempt: Attempt,
        deadline: Instant,
        caller: oneshot::Sender<Found>,
        work: impl Future<Output = CallResult>,
    ) {
        let answer = tokio::select! {
            answer = work => answer,
            () = self.node_end.over() => {
                let detail = "The node stopped during the call. It may have been carried out. Call again with the same key.";
                Err(Refusal::new(ErrorCode::Timeout, detail).into())
            }
        };
        let keep = self.keep(key, attempt, Outcome::of(&answer, self.answer_size));
        let mut keep = std::pin::pin!(keep);
        let kept_in_time = timeout_at(deadline, &mut keep).await.is_ok();
        let _ = caller.send(Found::Answer(answer));
        if !kept_in_time {
            keep.await;
        }
    }

    async fn keep(&self, key: CallKey, attempt: Attempt, outcome: Outcome) {
        let (stored, count) = match outcome {
            Outcome::Done(kept) => (self.broker.finish_call(&key, attempt, kept).await, Count::AnswerKept),
            Outcome::DoneTooLarge(mark) => (self.broker.finish_call(&key, attempt, mark).await, Count::AnswerTooLarge),
            Outcome::Ended => (self.broker.release_call(&key, attempt).await, Count::AnswerReleased),
            Outcome::MayRun => (Ok(()), Count::AnswerOpen),
        };
        match stored {
            Ok(()) => self.counters.add(count),
            Err(error) => {
                self.counters.add(Count::AnswerNotKept);
                error.log();
            }
        }
    }
}

/// The refusal of a call that was not sent, because the broker does not know whether it is a repeat.
fn not_sent(error: BrokerError) -> Refusal {
    let full = matches!(error, BrokerError::LimitExceeded(_));
    let refusal = Refusal::from(error);
    if full {
        return Refusal::new(ErrorCode::Overloaded, format!("The call was not sent: {}.", refusal.detail));
    }
    let detail =
        "The store of answers is unavailable, so the gateway does not know whether this call is a repeat. It was not sent. Try again.";
    Refusal::new(ErrorCode::ServiceUnavailable, detail)
}
