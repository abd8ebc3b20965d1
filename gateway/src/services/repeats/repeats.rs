//! Carries calls with a key out once, and keeps their answers.

use super::kept_answer::{self, Outcome};
use crate::{
    broker::{Attempt, Broker, BrokerError, CallEnd, CallKey, CallState},
    services::{
        call_types::{CallError, CallResult},
        counters::{Count, Counters},
        webhook::webhook::NodeEnd,
    },
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Either, Shared, ready},
};
use gateway_core::model::{ErrorCode, Refusal};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

#[cfg(test)]
mod tests;

/// How much longer than its call and the command that keeps its answer an attempt holds its key.
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// How long repeats wait after an attempt that may still run.
const GRACE: Duration = Duration::from_secs(2);
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

    /// The answer to a call: that of an earlier call with the same key, or of an attempt. `begin` makes an attempt; it is called at once, and again
    /// whenever an earlier attempt may have ended. Where it fails, there may still be an answer; only a first call gets its error. An attempt begins
    /// nothing before it is polled, and must end at the deadline. It runs in a task of its own, so it goes on when the caller leaves; the argument
    /// of `begin` is then cancelled.
    pub(crate) async fn answer<F>(
        &self,
        key: CallKey,
        deadline: Instant,
        begin: impl Fn(CancellationToken) -> Result<F, Refusal>,
    ) -> CallResult
    where
        F: Future<Output = CallResult> + Send + 'static,
    {
        let caller_left = CancellationToken::new();
        let _on_drop = caller_left.clone().drop_guard();
        let mut pause = PAUSES.0;
        loop {
            let work = match begin(caller_left.clone()) {
                Ok(work) => Either::Left(work),
                Err(refusal) => Either::Right(ready(Err(refusal.into()))),
            };
            let (send, found) = oneshot::channel();
            let running = RunningAttempt::new(self, key, deadline, send);
            self.node_end.tasks.spawn(running.look(work).in_current_span());
            match found.await {
                Ok(Found::Answer(answer)) => return answer,
                Ok(Found::Running) => {}
                // Its task panicked, or its runtime ended.
                Err(_) => return Err(unknown_end("The gateway lost the call.")),
            }
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                self.counters.add(Count::RepeatInProgress);
                let detail = "The first call with this key may still run. Call again with the same key.";
                return Err(Refusal::new(ErrorCode::IdempotencyInProgress, detail).into());
            }
            pause = (2 * pause).min(PAUSES.1);
        }
    }
}

/// One attempt to carry a call out, in a task of its own.
struct RunningAttempt {
    repeats: Repeats,
    key: CallKey,
    attempt: Attempt,
    deadline: Instant,
    /// It may have left.
    caller: oneshot::Sender<Found>,
    /// Nothing waits longer than this.
    node_end: Shared<BoxFuture<'static, ()>>,
}

impl RunningAttempt {
    fn new(repeats: &Repeats, key: CallKey, deadline: Instant, caller: oneshot::Sender<Found>) -> Self {
        let left = deadline.saturating_duration_since(Instant::now());
        let attempt = Attempt::new(left + repeats.broker.longest_command() + LEASE_MARGIN);
        let node_end = repeats.node_end.clone();
        let node_end = async move { node_end.over().await }.boxed().shared();
        Self { repeats: repeats.clone(), key, attempt, deadline, caller, node_end }
    }

    /// Carries the call out if it is the first.
    async fn look(self, work: impl Future<Output = CallResult>) {
        let begun = tokio::select! {
            begun = timeout_at(self.deadline, self.repeats.broker.begin_call(&self.key, self.attempt)) => begun.ok(),
            () = self.node_end.clone() => None,
        };
        let counters = &self.repeats.counters;
        let found = match begun.unwrap_or(Err(BrokerError::OutcomeUnknown)) {
            Ok(CallState::First) => return self.carry_out(work).await,
            Ok(CallState::Running) => Found::Running,
            Ok(CallState::Done(kept)) => {
                counters.add(Count::RepeatAnswered);
                Found::Answer(kept_answer::read(&kept))
            }
            Ok(CallState::OtherBody) => {
                counters.add(Count::RepeatMismatch);
                let detail = "Another call with this key had other data. Use a new key for a new call.";
                Found::Answer(Err(Refusal::new(ErrorCode::IdempotencyMismatch, detail).into()))
            }
            Err(error) => return self.give_up(error, work).await,
        };
        // The next call gets the turn before the caller knows the answer.
        drop(work);
        let _ = self.caller.send(found);
    }

    /// Refuses the call. If the attempt may have begun, it ends, so that it does not block its key.
    async fn give_up(self, error: BrokerError, work: impl Future<Output = CallResult>) {
        let may_have_begun = !matches!(error, BrokerError::Unavailable(_) | BrokerError::LimitExceeded(_));
        drop(work);
        let _ = self.caller.send(Found::Answer(Err(not_sent(error).into())));
        if may_have_begun {
            let release = self.repeats.broker.end_call(&self.key, self.attempt, CallEnd::Release);
            tokio::select! {
                biased;
                released = release => if let Err(error) = released { error.log() },
                () = self.node_end => {}
            }
        }
    }

    /// Carries the call out and keeps its answer, before the caller gets it: after that, a repeat finds it on every node.
    async fn carry_out(self, work: impl Future<Output = CallResult>) {
        let answer = tokio::select! {
            answer = work => answer,
            () = self.node_end.clone() => Err(unknown_end("The node stopped during the call.")),
        };
        let outcome = Outcome::of(&answer, self.repeats.answer_size);
        let mut keep = pin!(self.repeats.keep(&self.key, self.attempt, outcome, self.node_end));
        let kept_in_time = timeout_at(self.deadline, &mut keep).await.is_ok();
        let _ = self.caller.send(Found::Answer(answer));
        if !kept_in_time {
            keep.await;
        }
    }
}

impl Repeats {
    /// Ends an attempt, or gives up at the end of the node.
    async fn keep(&self, key: &CallKey, attempt: Attempt, outcome: Outcome, node_end: impl Future<Output = ()>) {
        let (end, count) = match outcome {
            Outcome::Done(kept) => (CallEnd::Answer(kept), Count::AnswerKept),
            Outcome::DoneTooLarge(mark) => (CallEnd::Answer(mark), Count::AnswerTooLarge),
            Outcome::Ended => (CallEnd::Release, Count::AnswerReleased),
            Outcome::MayRun => (CallEnd::Unknown(GRACE), Count::AnswerOpen),
        };
        let ended = tokio::select! {
            biased;
            ended = self.broker.end_call(key, attempt, end) => ended,
            () = node_end => Err(BrokerError::Unavailable("the node stopped first".into())),
        };
        self.counters.add(match ended {
            Ok(true) => count,
            Ok(false) => Count::AnswerSuperseded,
            Err(error) => {
                error.log();
                Count::AnswerNotKept
            }
        });
    }
}

/// The answer if nobody knows whether the call was carried out.
fn unknown_end(what: &str) -> CallError {
    Refusal::new(ErrorCode::Timeout, format!("{what} It may have been carried out. Call again with the same key.")).into()
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
