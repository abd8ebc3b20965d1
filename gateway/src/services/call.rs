//! One call: waits for its turn, sends the call to an instance, and waits for the answer.

use super::{
    call_types::{CallError, CallRequest, CallResult},
    caller::Caller,
    counters::Count,
    instances::instance::AbandonReason,
    order_place::OrderPlace,
    repeats::call_key::call_key,
    routes::{
        call_limits::CallPermit,
        method,
        route::{AnsweredBy, CallKeys},
        route_table::ActiveRoute,
    },
    services::Services,
};
use crate::{
    broker::CallKey,
    telemetry::{SpanKind, TraceSpan},
};
use gateway_core::model::{Data, ErrorCode, Refusal, ServiceName};
use in_flight::InFlight;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub(super) mod in_flight;
#[cfg(test)]
mod tests;

impl Services {
    /// Calls a service; `method` is `service.name` or `service:name`. Ends after `within` or the timeout of the route, whichever is
    /// shorter. Dropping the future cancels the call, unless it has a key and was sent: then it goes on, and a repeat gets its answer.
    pub async fn call(self: &Arc<Self>, method: &str, data: Data, caller: &Caller, within: Duration) -> CallResult {
        let (name, method) = method::parse(method).inspect_err(|_| self.counters.add(Count::CallRefused))?;
        let start = Instant::now();
        let step = TraceSpan::begin(SpanKind::Call, caller.traceparent.as_deref().and_then(|parent| parent.parse().ok()));
        let caller = Caller { traceparent: step.traceparent(), ..caller.clone() };
        let answer = self.try_call(&name, method, data, caller, within).instrument(step.span().clone()).await;
        let count = count_of(&answer);
        self.counters.add(count);
        if let Some(metrics) = self.metrics.as_ref().filter(|_| self.contains(&name)) {
            metrics.node().call(&name, count.result(), start.elapsed());
        }
        answer
    }

    async fn try_call(self: &Arc<Self>, name: &ServiceName, method: &str, data: Data, caller: Caller, within: Duration) -> CallResult {
        let target = self.service(name)?;
        let ActiveRoute { route, limits } = target.routes.of(method);
        route.check_caller(&caller)?;
        let deadline = Instant::now() + within.min(route.call_timeout);
        let keys = route.keys(&data, &caller)?;
        let permit = Arc::new(limits.enter(&caller)?);
        if route.answered == AnsweredBy::Queue {
            // Boxed, so that other calls have no place for it.
            return Box::pin(self.accept(target, method, data, &caller, keys)).await;
        }
        let call = AdmittedCall { service: name.clone(), method: method.into(), data, caller, keys, deadline, permit };
        match call.key() {
            None => self.begin(call, std::future::pending())?.await,
            // Boxed, because it is large, and most calls have no key.
            Some(key) => Box::pin(self.call_once(key, call)).await,
        }
    }

    async fn call_once(self: &Arc<Self>, key: CallKey, call: AdmittedCall) -> CallResult {
        let repeats = self.repeats.as_ref().ok_or_else(|| Refusal::from(ErrorCode::Internal))?;
        let begin = |caller_left: CancellationToken| {
            let work = self.begin(call.clone(), caller_left.clone().cancelled_owned())?;
            let counters = Arc::clone(&self.counters);
            Ok(async move {
                let answer = work.await;
                if caller_left.is_cancelled() {
                    counters.add(count_of(&answer));
                }
                answer
            })
        };
        repeats.answer(key, call.deadline, begin).await
    }

    /// Gives the call its place in the order at once. The future waits for its turn and carries it out; dropping the future gives the place back.
    /// `caller_left`: when the call is not worth sending any more.
    fn begin<L>(self: &Arc<Self>, call: AdmittedCall, caller_left: L) -> Result<impl Future<Output = CallResult> + use<L>, Refusal>
    where
        L: Future<Output = ()>,
    {
        let place = OrderPlace::enter(self.service(&call.service)?, call.keys.order.clone())?;
        let services = Arc::clone(self);
        Ok(async move { services.carry_out(call, place, caller_left).await })
    }

    async fn carry_out(&self, call: AdmittedCall, mut place: OrderPlace, caller_left: impl Future<Output = ()>) -> CallResult {
        let AdmittedCall { service, method, data, caller, keys, deadline, permit: _permit } = call;
        let service = self.service(&service)?;
        tokio::select! {
            biased;
            () = caller_left => return Err(Refusal::from(ErrorCode::ConnectionGone).into()),
            turn = place.wait_for_turn(deadline) => turn?,
        }
        let (order_key, idempotency_key) = (keys.order.as_ref(), keys.idempotency.as_deref());
        let request = caller.request.select(&service.routes.of(&method).route.forwarded);
        let call = CallRequest { method: &method, data, caller: &caller, order_key, idempotency_key, request, deadline };
        let in_flight = InFlight::begin(self, service, place.choice(), call, Some(Count::CallCancelled))?;
        place.instance = in_flight.instance();
        // Behind slow calls of its key there was little time left, which says nothing about the instance.
        let late = if place.has_waited { AbandonReason::Cancelled } else { AbandonReason::Deadline };
        in_flight.answer(deadline, late).await.unwrap_or_else(|| {
            let detail = format!("{} did not answer in time. It may have carried the call out.", service.name);
            Err(Refusal::new(ErrorCode::Timeout, detail).into())
        })
    }
}

/// A call that its route allows.
#[derive(Clone)]
struct AdmittedCall {
    service: ServiceName,
    method: Box<str>,
    data: Data,
    caller: Caller,
    keys: CallKeys,
    deadline: Instant,
    /// It ends when nobody carries the call out or waits for its answer.
    permit: Arc<CallPermit>,
}

impl AdmittedCall {
    /// What identifies it, if it has a key.
    fn key(&self) -> Option<CallKey> {
        let key = self.keys.idempotency.as_ref()?;
        Some(call_key(&self.caller, &self.service, &self.method, key, &self.data))
    }
}

fn count_of(answer: &CallResult) -> Count {
    match answer {
        Ok(_) => Count::CallAnswered,
        Err(CallError::Service { .. }) => Count::CallFailedByService,
        Err(CallError::BadReply(_)) => Count::CallBadReply,
        Err(CallError::Refused(refusal)) => match refusal.code {
            ErrorCode::ServiceUnavailable => Count::CallUnavailable,
            ErrorCode::Overloaded => Count::CallOverloaded,
            ErrorCode::Timeout => Count::CallTimeout,
            ErrorCode::ConnectionGone => Count::CallCancelled,
            _ => Count::CallRefused,
        },
    }
}
