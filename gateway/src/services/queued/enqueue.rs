//! Stores events of frontends in the queues of services.

use super::{
    super::{
        call_types::{CallResult, EventMessage},
        caller::Caller,
        counters::Count,
        repeats::call_key::call_key,
        routes::route::{CallKeys, OrderKey, Route},
        service::Service,
        services::Services,
        webhook::request::new_event_id,
    },
    counters::EventResult,
    event::{self, Entry, Terms},
    queueing::Queueing,
    service_queue::ServiceQueue,
};
use crate::{
    broker::{BrokerError, CallKey},
    queues::QueueStore,
};
use gateway_core::{
    model::{Data, ErrorCode, Refusal},
    queue::{Enqueued, Once},
};
use serde_json::{json, value::to_raw_value};

impl Services {
    /// Sends an event to a service. `Ok` means that it is stored in the queue of the service. Without a queue it is on its way, and lost if the link
    /// ends first.
    pub async fn event(&self, service: &str, data: Data, caller: &Caller) -> Result<(), Refusal> {
        let service = self.service(service).inspect_err(|_| self.counters.add(Count::EventRefused))?;
        let Some(queue) = &service.queue else { return self.send_directly(service, data, caller) };
        let route = service.routes.default();
        let order = route.check_caller(caller).and_then(|()| route.order_key(&data, caller));
        let order = order.inspect_err(|_| queue.counters.count(EventResult::Refused))?;
        self.store(service, queue, Message { route, method: None, data, caller, order, once: None }).await.map(drop)
    }

    fn send_directly(&self, service: &Service, data: Data, caller: &Caller) -> Result<(), Refusal> {
        let route = service.routes.default();
        let sent = route.check_caller(caller).and_then(|()| {
            let event = EventMessage { data, caller, request: caller.request.select(&route.forwarded) };
            service.carrier.send(event, self.now())
        });
        self.counters.add(if sent.is_ok() { Count::EventSent } else { Count::EventRefused });
        sent
    }

    /// Stores a call that gets no reply of the service, and answers it with its id. A repeat gets the id of the first call.
    pub(in crate::services) async fn accept(
        &self,
        service: &Service,
        method: &str,
        data: Data,
        caller: &Caller,
        keys: CallKeys,
    ) -> CallResult {
        let Some(queue) = &service.queue else { return Err(Refusal::from(ErrorCode::Internal).into()) };
        let CallKeys { order, idempotency } = keys;
        let once = idempotency.map(|key| call_key(caller, &service.name, method, &key, &data));
        let route = &service.routes.of(method).route;
        let id = self.store(service, queue, Message { route, method: Some(method), data, caller, order, once }).await?;
        let accepted = to_raw_value(&json!({ "accepted": id })).map_err(|_| Refusal::from(ErrorCode::Internal))?;
        let accepted = Data::parse(&accepted).map_err(|_| Refusal::from(ErrorCode::Internal))?;
        Ok(accepted.into())
    }

    /// Returns the id under which the event is stored.
    async fn store(&self, service: &Service, queue: &ServiceQueue, message: Message<'_>) -> Result<Box<str>, Refusal> {
        let queueing = self.queueing.as_ref().ok_or_else(|| Refusal::from(ErrorCode::Internal))?;
        let Message { route, method, data, caller, order, once } = message;
        let has_key = once.is_some();
        let request = caller.request.select(&route.forwarded);
        let event = event::of_message(EventMessage { data, caller, request }, method, new_event_id());
        let once = once.map(|CallKey { name, body }| Once { name, body, ttl: queueing.limits.once_ttl });
        let terms = Terms { key: order, expires_after: route.expires_after, once };
        let Entry { partition, entry } = event::entry(&service.name, queue.config.partitions, &event, terms);
        let id = entry.id.clone();
        let open = queue.counters.begin();
        let enqueued = enqueue(queueing, Entry { partition, entry }).await;
        open.end(EventResult::of(&enqueued));
        match enqueued {
            Ok(Enqueued::Stored(_)) => Ok(id),
            Ok(Enqueued::Repeated(first)) => Ok(first),
            Err(error) => Err(refusal(error, has_key)),
        }
    }
}

/// An event of a frontend that its route allows.
struct Message<'a> {
    route: &'a Route,
    /// None: it is no call.
    method: Option<&'a str>,
    data: Data,
    caller: &'a Caller,
    order: Option<OrderKey>,
    once: Option<CallKey>,
}

/// Stores an event.
pub(super) async fn enqueue(queueing: &Queueing, Entry { partition, entry }: Entry) -> Result<Enqueued, BrokerError> {
    // The store takes the events of a partition in the order of these first steps.
    queueing.store.hand_over(&partition, entry).await?.await
}

fn refusal(error: BrokerError, has_key: bool) -> Refusal {
    match error {
        BrokerError::IdempotencyMismatch => {
            Refusal::new(ErrorCode::IdempotencyMismatch, "Another call with this key had other data. Use a new key for a new call.")
        }
        BrokerError::OutcomeUnknown => {
            error.log();
            let cure =
                if has_key { "Call again with the same key." } else { "Without an idempotency key, a repeat may be a second event." };
            Refusal::new(ErrorCode::OutcomeUnknown, format!("The store did not confirm in time, so the event may be stored. {cure}"))
        }
        // The limit of memory: later there is room again.
        BrokerError::LimitExceeded(what) => {
            Refusal::new(ErrorCode::Overloaded, format!("The event was not stored: {what}. Try again later."))
        }
        other => other.into(),
    }
}
