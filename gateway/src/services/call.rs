//! One call, from its place in the order of its key to its answer.

use super::{
    call_types::{Answer, CallError, Caller},
    config::OrderBy,
    counters::Count,
    instance::{CallId, GivenUp},
    lanes::Entry,
    method,
    service::Service,
    services::Services,
};
use crate::telemetry::{Step, Work};
use gateway_core::model::{Data, ErrorCode, Refusal};
use shared_proto::link::{Call, Event};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tracing::Instrument as _;

#[cfg(test)]
mod tests;

impl Services {
    /// Calls a service: `method` is `service.name` or `service:name`. Ends within `within` or the service's own timeout, whichever is
    /// shorter. Dropping the future cancels the call.
    pub async fn call(&self, method: &str, data: Data, caller: &Caller, within: Duration) -> Answer {
        let (name, method) = method::parse(method).inspect_err(|_| self.counters.add(Count::CallRefused))?;
        let start = Instant::now();
        let step = Step::begin(Work::Call, caller.traceparent.as_deref().and_then(|parent| parent.parse().ok()));
        let caller = Caller { traceparent: step.traceparent(), ..caller.clone() };
        let answer = self.try_call(&name, method, data, &caller, within).instrument(step.span().clone()).await;
        let count = count_of(&answer);
        self.counters.add(count);
        if let Some(metrics) = self.metrics.as_ref().filter(|_| self.knows(&name)) {
            metrics.node().call(&name, count.result(), start.elapsed());
        }
        answer
    }

    async fn try_call(&self, name: &str, method: &str, data: Data, caller: &Caller, within: Duration) -> Answer {
        let service = self.service(name)?;
        let deadline = Instant::now() + within.min(service.config.call_timeout);
        let mut place = service.place(caller);
        place.turn(deadline).await?;
        let mut flight = self.start(service, &mut place, method, data, caller, deadline)?;
        let Ok(answer) = timeout_at(deadline, &mut flight.answer).await else {
            flight.give_up(GivenUp::Deadline);
            let detail = format!("{name} did not answer in time. It may or may not have carried the call out.");
            return Err(Refusal::new(ErrorCode::Timeout, detail).into());
        };
        flight.ended = true;
        answer.unwrap_or_else(|_| Err(Refusal::from(ErrorCode::Internal).into()))
    }

    fn start<'a>(
        &'a self,
        service: &'a Service,
        place: &mut Place<'_>,
        method: &str,
        data: Data,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Flight<'a>, Refusal> {
        let (send, answer) = oneshot::channel();
        let left = deadline.saturating_duration_since(Instant::now());
        let call = Call {
            id: 0,
            method: method.into(),
            data: data.into(),
            user: caller.user.to_string(),
            connection: caller.connection.to_string(),
            deadline_ms: left.as_millis() as u64,
            traceparent: caller.traceparent.as_deref().map(Into::into),
            order_key: place.key.as_deref().map(Into::into),
        };
        let (call, instance) = service.pool().start(place.instance.as_deref(), call, send, self.now())?;
        place.instance = Some(instance);
        Ok(Flight { services: self, service, call, answer, ended: false })
    }

    /// Sends a service an event. Done means queued for one of its instances: an event may be lost with the link.
    pub fn event(&self, service: &str, data: Data, caller: &Caller) -> Result<(), Refusal> {
        let event = Event {
            id: None,
            kind: "message".into(),
            data: data.into(),
            user: caller.user.to_string(),
            connection: caller.connection.to_string(),
            traceparent: caller.traceparent.as_deref().map(Into::into),
        };
        let sent = self.service(service).and_then(|service| service.pool().send(None, event, self.now()));
        self.counters.add(if sent.is_ok() { Count::EventSent } else { Count::EventRefused });
        sent
    }
}

fn count_of(answer: &Answer) -> Count {
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
    fn place(&self, caller: &Caller) -> Place<'_> {
        let key = match self.config.order {
            OrderBy::Connection => Some(Arc::from(caller.connection.to_string())),
            OrderBy::Nothing => None,
        };
        Place { service: self, key, state: Waiting::Outside, instance: None }
    }
}

enum Waiting {
    Outside,
    Line(oneshot::Receiver<super::lanes::Turn>),
    Turn,
}

/// A call's place in the order of its key; given to the next when dropped.
struct Place<'a> {
    service: &'a Service,
    key: Option<Arc<str>>,
    state: Waiting,
    instance: Option<Arc<str>>,
}

impl Place<'_> {
    async fn turn(&mut self, deadline: Instant) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
        let entry = self.service.lanes().enter(key);
        let turn = match entry {
            Entry::Now => {
                self.state = Waiting::Turn;
                return Ok(());
            }
            Entry::Full => {
                let detail = format!("Too many calls to {} wait for the one before them. Wait for answers.", self.service.name);
                return Err(Refusal::new(ErrorCode::Overloaded, detail));
            }
            Entry::Wait(turn) => {
                self.state = Waiting::Line(turn);
                let Waiting::Line(turn) = &mut self.state else { return Ok(()) };
                timeout_at(deadline, turn).await
            }
        };
        let Ok(turn) = turn else {
            let detail = format!("The calls to {} before this one took all its time. It was not sent.", self.service.name);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        };
        self.state = Waiting::Turn;
        self.instance = turn.unwrap_or_default();
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let has_turn = match &mut self.state {
            Waiting::Outside => false,
            Waiting::Turn => true,
            Waiting::Line(turn) => {
                turn.close();
                turn.try_recv().is_ok()
            }
        };
        if has_turn {
            self.service.lanes().leave(key, self.instance.as_ref());
        }
    }
}

/// A call that is under way; cancelled when dropped before its end.
struct Flight<'a> {
    services: &'a Services,
    service: &'a Service,
    call: CallId,
    answer: oneshot::Receiver<Answer>,
    ended: bool,
}

impl Flight<'_> {
    fn give_up(&mut self, why: GivenUp) {
        self.ended = true;
        self.service.pool().give_up(self.call, why, self.services.now());
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.give_up(GivenUp::Cancelled);
            self.services.counters.add(Count::CallCancelled);
        }
    }
}
