//! One question: a call with a reserved method, outside the order of frontends' calls.

use super::{
    super::{
        call::in_flight::InFlight,
        call_types::{CallError, CallRequest, Choice, Reply},
        caller::Caller,
        instances::instance::AbandonReason,
        services::Services,
    },
    answer::{Answer, Decision},
    counters::{QuestionKind, QuestionResult, Tally},
    room::Entry,
    unanswered::Unanswered,
};
use crate::telemetry::{SpanKind, TraceSpan};
use gateway_core::model::{Data, ErrorCode, MetaChange, Refusal, ServiceName};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

/// A question to a service.
#[derive(Clone, Copy)]
pub(super) struct Question<'a, Q> {
    pub(super) kind: QuestionKind,
    pub(super) service: &'a ServiceName,
    pub(super) content: &'a Q,
    pub(super) caller: &'a Caller,
    /// When the answer has to be there.
    pub(super) deadline: Instant,
    pub(super) start: Start,
}

/// Whether a question is sent as soon as its command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The service has the whole time for the answer.
    AtOnce,
    /// The question waited. The service has only the rest of the time, so a late answer says nothing about it.
    AfterWait,
}

impl Start {
    /// What a late answer means for the breaker.
    fn late(self) -> AbandonReason {
        match self {
            Self::AtOnce => AbandonReason::Deadline,
            Self::AfterWait => AbandonReason::Cancelled,
        }
    }

    /// Why there is no answer if it did not come in time. A flood of questions must not make the service count as away.
    fn too_late(self, service: &ServiceName, why: String) -> Unanswered {
        match self {
            Self::AtOnce => Unanswered::Away(QuestionResult::Timeout, why),
            Self::AfterWait => Unanswered::overloaded(service),
        }
    }
}

impl Services {
    /// Asks a service and checks its answer. Dropping the future cancels the question.
    pub(super) async fn ask<Q: Serialize, T>(
        &self,
        question: Question<'_, Q>,
        check: impl Fn(&Data) -> Result<Answer<T>, String>,
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
            Err(unanswered) => {
                if let Unanswered::Away(_, why) = unanswered {
                    self.guards.failures(question.kind).failed(|| {
                        tracing::warn!(service = %question.service, question = question.kind.name(), "a guard does not answer: {why}");
                    });
                }
                tally.end(unanswered.result());
            }
        }
        answer
    }

    async fn try_ask<Q: Serialize, T>(
        &self,
        question: Question<'_, Q>,
        check: impl Fn(&Data) -> Result<Answer<T>, String>,
    ) -> Result<Answer<T>, Unanswered> {
        let Question { kind, service: name, content, caller, deadline, start } = question;
        let away = |why: &str| Unanswered::Away(QuestionResult::Unavailable, why.into());
        let service = self.service(name).map_err(|refusal| away(&refusal.detail))?;
        let places = self.guards.places.get(name).ok_or_else(|| away("unknown service"))?;
        let _place = places.try_acquire().map_err(|_| Unanswered::overloaded(name))?;
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
        let send = || InFlight::begin(self, service, Choice::LeavingRoom, call(), None);
        let (in_flight, start) = match service.room.enter(deadline, send).await? {
            Entry::AtOnce(in_flight) => (in_flight, start),
            Entry::AfterWait(in_flight) => (in_flight, Start::AfterWait),
            Entry::None => return Err(Unanswered::overloaded(name)),
        };
        match in_flight.answer(deadline, start.late()).await {
            None => Err(start.too_late(name, format!("{name} did not answer in time"))),
            Some(Ok(Reply { meta: MetaChange::Set(_), .. })) => Err(bad_reply(name, "only replies to calls have a `meta` of their own")),
            Some(Ok(Reply { data, .. })) => check(&data).map_err(|error| bad_reply(name, &error)),
            Some(Err(CallError::Service { code, .. })) if code < 400 => {
                Err(bad_reply(name, &format!("it does not know the method {}", kind.method())))
            }
            Some(Err(CallError::Service { code, message, temporary })) => {
                Ok(Answer { decision: Decision::Refused { code, message, temporary }, cache: Duration::ZERO })
            }
            Some(Err(CallError::Refused(Refusal { code: ErrorCode::Timeout, detail, .. }))) => Err(start.too_late(name, detail)),
            Some(Err(CallError::BadReply(bad))) => Err(Unanswered::Away(QuestionResult::BadReply, bad.detail)),
            Some(Err(CallError::Refused(refusal))) => Err(refusal.into()),
        }
    }
}

fn bad_reply(service: &ServiceName, error: &str) -> Unanswered {
    Unanswered::Away(QuestionResult::BadReply, format!("the answer of {service} is not valid: {error}"))
}
