//! One call: waits for its turn, sends the call to an instance, and waits for the answer.

use super::{
    call_types::{CallError, CallRequest, CallResult, Choice, EventMessage},
    caller::Caller,
    counters::Count,
    instances::instance::AbandonReason,
    order_queues::Admission,
    repeats::call_key::call_key,
    routes::{
        method,
        route::{CallKeys, OrderKey},
        route_table::ActiveRoute,
    },
    service::Service,
    services::Services,
};
use crate::{
    broker::CallKey,
    telemetry::{SpanKind, TraceSpan},
};
use gateway_core::model::{Data, ErrorCode, Refusal, ServiceName};
use in_flight::InFlight;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
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
        let route = &self.service(name)?.routes.of(method).route;
        route.check_caller(&caller)?;
        let deadline = Instant::now() + within.min(route.call_timeout);
        let keys = route.keys(&data, &caller)?;
        let call = CheckedCall { service: name.clone(), method: method.into(), data, caller, keys, deadline };
        match call.key() {
            None => self.carry_out(call, std::future::pending()).await,
            Some(key) => self.call_once(key, call).await,
        }
    }

    async fn call_once(self: &Arc<Self>, key: CallKey, call: CheckedCall) -> CallResult {
        let repeats = self.repeats.as_ref().ok_or_else(|| Refusal::from(ErrorCode::Internal))?;
        let (services, deadline, call) = (Arc::clone(self), call.deadline, Arc::new(call));
        let carry_out = async move |caller_left: CancellationToken| {
            let answer = services.carry_out(Arc::unwrap_or_clone(call), caller_left.cancelled()).await;
            if caller_left.is_cancelled() {
                services.counters.add(count_of(&answer));
            }
            answer
        };
        repeats.answer(key, deadline, carry_out).await
    }

    /// `caller_left`: when the call is not worth sending any more.
    async fn carry_out(&self, call: CheckedCall, caller_left: impl Future<Output = ()>) -> CallResult {
        let CheckedCall { service, method, data, caller, keys, deadline } = call;
        let service = self.service(&service)?;
        let ActiveRoute { route, limits } = service.routes.of(&method);
        let _permit = limits.enter(&caller)?;
        let mut place = OrderPlace::new(service, keys.order.as_ref());
        tokio::select! {
            biased;
            turn = place.wait_for_turn(deadline) => turn?,
            () = caller_left => return Err(Refusal::from(ErrorCode::ConnectionGone).into()),
        }
        let (order_key, idempotency_key) = (keys.order.as_ref(), keys.idempotency.as_deref());
        let request = caller.request.select(&route.forwarded);
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

    /// Sends an event to a service. `Ok` means that it is on its way; it is lost if the link ends first.
    pub fn event(&self, service: &str, data: Data, caller: &Caller) -> Result<(), Refusal> {
        let sent = self.service(service).and_then(|service| {
            let route = service.routes.default();
            route.check_caller(caller)?;
            let event = EventMessage { data, caller, request: caller.request.select(&route.forwarded) };
            service.carrier.send(event, self.now())
        });
        self.counters.add(if sent.is_ok() { Count::EventSent } else { Count::EventRefused });
        sent
    }
}

/// A call that its route allows.
#[derive(Clone)]
struct CheckedCall {
    service: ServiceName,
    method: Box<str>,
    data: Data,
    caller: Caller,
    keys: CallKeys,
    deadline: Instant,
}

impl CheckedCall {
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
        Err(CallError::Refused(refusal)) => match refusal.code {
            ErrorCode::ServiceUnavailable => Count::CallUnavailable,
            ErrorCode::Overloaded => Count::CallOverloaded,
            ErrorCode::Timeout => Count::CallTimeout,
            ErrorCode::BadReply => Count::CallBadReply,
            ErrorCode::ConnectionGone => Count::CallCancelled,
            _ => Count::CallRefused,
        },
    }
}

enum PlaceState {
    NotQueued,
    Queued(oneshot::Receiver<super::order_queues::PreferredInstance>),
    Active,
}

/// The place of a call among the calls of its key. Dropping it gives the turn to the next call.
struct OrderPlace<'a> {
    service: &'a Service,
    key: Option<&'a OrderKey>,
    state: PlaceState,
    /// Whether an earlier call of its key was in flight.
    has_waited: bool,
    instance: Option<Arc<str>>,
}

impl<'a> OrderPlace<'a> {
    fn new(service: &'a Service, key: Option<&'a OrderKey>) -> Self {
        Self { service, key, state: PlaceState::NotQueued, has_waited: false, instance: None }
    }

    /// The instance or target for the call.
    fn choice(&self) -> Choice<'_> {
        match (self.key, &self.instance) {
            (Some(OrderKey::Member(key)), _) => Choice::OfKey(key),
            (_, Some(instance)) => Choice::Same(instance),
            (_, None) => Choice::LessBusy,
        }
    }

    async fn wait_for_turn(&mut self, deadline: Instant) -> Result<(), Refusal> {
        let Some(key) = self.key else { return Ok(()) };
        let entry = self.service.order_queues().enter(key);
        let turn = match entry {
            Admission::Now => {
                self.state = PlaceState::Active;
                return Ok(());
            }
            Admission::Full => {
                let detail = format!("Too many calls to {} wait for an earlier call. Wait for answers first.", self.service.name);
                return Err(Refusal::new(ErrorCode::Overloaded, detail));
            }
            Admission::Wait(turn) => {
                self.has_waited = true;
                self.state = PlaceState::Queued(turn);
                let PlaceState::Queued(turn) = &mut self.state else { return Ok(()) };
                timeout_at(deadline, turn).await
            }
        };
        let Ok(turn) = turn else {
            let detail = format!("Earlier calls to {} took too long, so this call was not sent.", self.service.name);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        };
        self.state = PlaceState::Active;
        self.instance = turn.unwrap_or_default();
        Ok(())
    }
}

impl Drop for OrderPlace<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let has_turn = match &mut self.state {
            PlaceState::NotQueued => false,
            PlaceState::Active => true,
            PlaceState::Queued(turn) => {
                turn.close();
                turn.try_recv().is_ok()
            }
        };
        if has_turn {
            self.service.order_queues().leave(key, self.instance.as_ref());
        }
    }
}
