//! One call: waits for its turn, sends the call to an instance, and waits for the answer.

use super::{
    call_types::{CallError, CallRequest, CallResult, Caller, EventMessage},
    carrier::Started,
    config::OrderBy,
    counters::Count,
    instances::instance::AbandonReason,
    method,
    order_queues::Admission,
    service::Service,
    services::Services,
};
use crate::telemetry::{SpanKind, TraceSpan};
use gateway_core::model::{Data, ErrorCode, Refusal};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tracing::Instrument as _;

#[cfg(test)]
mod tests;

impl Services {
    /// Calls a service; `method` is `service.name` or `service:name`. Ends after `within` or the timeout of the service, whichever is
    /// shorter. Dropping the future cancels the call.
    pub async fn call(&self, method: &str, data: Data, caller: &Caller, within: Duration) -> CallResult {
        let (name, method) = method::parse(method).inspect_err(|_| self.counters.add(Count::CallRefused))?;
        let start = Instant::now();
        let step = TraceSpan::begin(SpanKind::Call, caller.traceparent.as_deref().and_then(|parent| parent.parse().ok()));
        let caller = Caller { traceparent: step.traceparent(), ..caller.clone() };
        let answer = self.try_call(&name, method, data, &caller, within).instrument(step.span().clone()).await;
        let count = count_of(&answer);
        self.counters.add(count);
        if let Some(metrics) = self.metrics.as_ref().filter(|_| self.contains(&name)) {
            metrics.node().call(&name, count.result(), start.elapsed());
        }
        answer
    }

    async fn try_call(&self, name: &str, method: &str, data: Data, caller: &Caller, within: Duration) -> CallResult {
        let service = self.service(name)?;
        let deadline = Instant::now() + within.min(service.config.call_timeout);
        let mut place = service.place(caller);
        place.wait_for_turn(deadline).await?;
        let mut in_flight = self.start(service, &mut place, method, data, caller, deadline)?;
        let answer = timeout_at(deadline, &mut in_flight.answer).await;
        in_flight.record();
        let Ok(answer) = answer else {
            // Behind slow calls of its key there was little time left, which says nothing about the instance.
            in_flight.abandon(if place.has_waited { AbandonReason::Cancelled } else { AbandonReason::Deadline });
            let detail = format!("{name} did not answer in time. It may have carried the call out.");
            return Err(Refusal::new(ErrorCode::Timeout, detail).into());
        };
        in_flight.ended = true;
        answer.unwrap_or_else(|_| Err(Refusal::from(ErrorCode::Internal).into()))
    }

    fn start<'a>(
        &'a self,
        service: &'a Service,
        place: &mut OrderPlace<'_>,
        method: &str,
        data: Data,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<InFlightCall<'a>, Refusal> {
        let (send, answer) = oneshot::channel();
        let call = CallRequest { method, data, caller, order_key: place.key.as_deref(), deadline };
        let call = service.carrier.start(place.instance.as_deref(), call, send, self.now())?;
        place.instance = call.instance();
        Ok(InFlightCall { services: self, service, call, answer, sent: Instant::now(), ended: false })
    }

    /// Sends an event to a service. `Ok` means that it is on its way; it is lost if the link ends first.
    pub fn event(&self, service: &str, data: Data, caller: &Caller) -> Result<(), Refusal> {
        let event = EventMessage { data, caller };
        let sent = self.service(service).and_then(|service| service.carrier.send(event, self.now()));
        self.counters.add(if sent.is_ok() { Count::EventSent } else { Count::EventRefused });
        sent
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
            _ => Count::CallRefused,
        },
    }
}

impl Service {
    fn place(&self, caller: &Caller) -> OrderPlace<'_> {
        let key = match self.config.order {
            OrderBy::Connection => Some(Arc::from(caller.connection.to_string())),
            OrderBy::Nothing => None,
        };
        OrderPlace { service: self, key, state: PlaceState::NotQueued, has_waited: false, instance: None }
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
    key: Option<Arc<str>>,
    state: PlaceState,
    /// Whether an earlier call of its key was in flight.
    has_waited: bool,
    instance: Option<Arc<str>>,
}

impl OrderPlace<'_> {
    async fn wait_for_turn(&mut self, deadline: Instant) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
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
        let Some(key) = &self.key else { return };
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

/// A call that was sent. Dropping it before its end cancels it.
struct InFlightCall<'a> {
    services: &'a Services,
    service: &'a Service,
    call: Started,
    answer: oneshot::Receiver<CallResult>,
    sent: Instant,
    ended: bool,
}

impl InFlightCall<'_> {
    fn record(&self) {
        self.service.carrier.record(&self.call, self.sent.elapsed(), self.services.now());
    }

    fn abandon(&mut self, why: AbandonReason) {
        self.ended = true;
        self.service.carrier.abandon(&self.call, why, self.services.now());
    }
}

impl Drop for InFlightCall<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.abandon(AbandonReason::Cancelled);
            self.services.counters.add(Count::CallCancelled);
        }
    }
}
