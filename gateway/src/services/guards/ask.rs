//! One question: a call with a reserved method, outside the order of frontends' calls.

use super::{
    super::{
        call::in_flight::InFlight,
        call_types::{CallError, CallRequest, Choice, Reply},
        caller::Caller,
        instances::instance::AbandonReason,
        service::Service,
        services::Services,
    },
    answer::{Answer, Decision},
    counters::{QuestionKind, QuestionResult, Tally},
    guards::QuestionQueue,
};
use crate::telemetry::{SpanKind, TraceSpan};
use gateway_core::model::{Data, ErrorCode, MetaChange, Refusal, ServiceName};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

/// Longest pause until a question that waits for room tries again. Credit may come back without the end of a question.
const ROOM_POLL: Duration = Duration::from_millis(20);

/// A question to a service.
#[derive(Clone, Copy)]
pub(super) struct Question<'a, Q> {
    pub(super) kind: QuestionKind,
    pub(super) service: &'a ServiceName,
    pub(super) content: &'a Q,
    pub(super) caller: &'a Caller,
    /// When the answer has to be there.
    pub(super) deadline: Instant,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The service is away. The result says how.
    Away(QuestionResult, String),
    /// Too many questions are in flight, or the service is busy.
    Overloaded(String),
}

impl Services {
    /// Asks a service and checks its answer. Dropping the future cancels the question.
    pub(super) async fn ask<Q: Serialize, T>(
        &self,
        question: Question<'_, Q>,
        check: fn(&Data) -> Result<Answer<T>, String>,
    ) -> Result<Answer<T>, Unanswered> {
        let tally = Tally::new(&self.guards.counters, question.kind);
        let step = TraceSpan::begin(SpanKind::Call, question.caller.traceparent.as_deref().and_then(|parent| parent.parse().ok()));
        let caller = Caller { traceparent: step.traceparent(), ..question.caller.clone() };
        let answer = self.try_ask(Question { caller: &caller, ..question }, check).instrument(step.span().clone()).await;
        match &answer {
            Ok(answer) => {
                self.guards.failures(question.kind).succeeded();
                tally.end(answer.decision.result());
            }
            Err(Unanswered::Overloaded(_)) => tally.end(QuestionResult::Overloaded),
            Err(Unanswered::Away(how, why)) => {
                self.guards.failures(question.kind).failed(|| {
                    tracing::warn!(service = %question.service, question = question.kind.name(), "a guard does not answer: {why}");
                });
                tally.end(*how);
            }
        }
        answer
    }

    async fn try_ask<Q: Serialize, T>(
        &self,
        question: Question<'_, Q>,
        check: fn(&Data) -> Result<Answer<T>, String>,
    ) -> Result<Answer<T>, Unanswered> {
        let Question { kind, service: name, content, caller, deadline } = question;
        let away = |why: &str| Unanswered::Away(QuestionResult::Unavailable, why.into());
        let service = self.service(name).map_err(|refusal| away(&refusal.detail))?;
        let queue = self.guards.queues.get(name).ok_or_else(|| away("unknown service"))?;
        let _place = queue.places.try_acquire().map_err(|_| {
            Unanswered::Overloaded(format!("Too many questions to {name} wait for an answer. Try again with a growing pause."))
        })?;
        let data = to_raw_value(content).map_err(|error| away(&error.to_string()))?;
        let data = Data::parse(&data).map_err(|error| away(&error.to_string()))?;
        let method = kind.method();
        let request = caller.request.select(&service.routes.of(method).route.forwarded);
        let call = || CallRequest {
            method,
            data: data.clone(),
            caller,
            order_key: None,
            idempotency_key: None,
            request: request.clone(),
            deadline,
        };
        let (in_flight, late) = self.begin_question(service, queue, call, deadline).await?;
        let ending = Ending(queue);
        let answer = in_flight.answer(deadline, late).await;
        drop(ending);
        match answer {
            None => Err(Unanswered::Away(QuestionResult::Timeout, format!("{name} did not answer in time"))),
            Some(Ok(Reply { meta: MetaChange::Set(_), .. })) => Err(bad_reply(name, "only replies to calls have a `meta` of their own")),
            Some(Ok(Reply { data, .. })) => check(&data).map_err(|error| bad_reply(name, &error)),
            Some(Err(CallError::Service { code, .. })) if code < 400 => {
                Err(bad_reply(name, &format!("it does not know the method {}", kind.method())))
            }
            Some(Err(CallError::Service { code, message, temporary })) => {
                Ok(Answer { decision: Decision::Refused { code, message, temporary }, cache: Duration::ZERO })
            }
            Some(Err(CallError::Refused(refusal))) => Err(refusal.into()),
        }
    }
}

impl Services {
    /// Sends a question as soon as the service has room for it. Also returns what it means if no answer comes in time: if the question waited,
    /// there was little time left, which says nothing about the instance.
    async fn begin_question<'a, 'c>(
        &'a self,
        service: &'a Service,
        queue: &'a QuestionQueue,
        call: impl Fn() -> CallRequest<'c>,
        deadline: Instant,
    ) -> Result<(InFlight<'a>, AbandonReason), Refusal> {
        let mut late = AbandonReason::Deadline;
        loop {
            match InFlight::begin(self, service, Choice::LeavingRoom, call(), None) {
                Ok(in_flight) => return Ok((in_flight, late)),
                Err(refusal) if refusal.code != ErrorCode::Overloaded || deadline <= Instant::now() => return Err(refusal),
                Err(_) => late = AbandonReason::Cancelled,
            }
            let _ = timeout_at(deadline.min(Instant::now() + ROOM_POLL), queue.ended.notified()).await;
        }
    }
}

fn bad_reply(service: &ServiceName, error: &str) -> Unanswered {
    Unanswered::Away(QuestionResult::BadReply, format!("the answer of {service} is not valid: {error}"))
}

impl From<Refusal> for Unanswered {
    fn from(Refusal { code, detail, .. }: Refusal) -> Self {
        match code {
            ErrorCode::Overloaded => Self::Overloaded(detail),
            ErrorCode::Timeout => Self::Away(QuestionResult::Timeout, detail),
            ErrorCode::BadReply => Self::Away(QuestionResult::BadReply, detail),
            _ => Self::Away(QuestionResult::Unavailable, detail),
        }
    }
}

/// Wakes the next question that waits for room, when it is dropped.
struct Ending<'a>(&'a QuestionQueue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended.notify_one();
    }
}
