//! One configured service: how it is reached, and the order of its calls.

use super::{
    carrier::Carrier,
    config::{Reach, ServiceConfig},
    counters::Counters,
    guards::room::RoomQueue,
    instances::{
        instance::{CreditUse, Offered},
        links::Links,
        pool::{Pool, PoolLimits},
    },
    lifecycle::{event::Lifecycle, kinds::Interests, outlet::Outlet},
    order_queues::OrderQueues,
    routes::route_table::RouteTable,
    webhook::webhook::{NodeEnd, Webhook},
};
use gateway_core::model::{ServiceName, Tick};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One configured service.
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) routes: RouteTable,
    pub(super) carrier: Carrier,
    /// The lifecycle events that a webhook gets.
    lifecycle_events: Interests,
    pub(super) outlet: Arc<Outlet>,
    order_queues: Mutex<OrderQueues>,
    /// The questions that wait for room.
    pub(super) room: RoomQueue,
}

impl Service {
    /// `counters` and `node_end` are for its events.
    pub(super) fn new(name: ServiceName, config: ServiceConfig, counters: &Arc<Counters>, node_end: &NodeEnd) -> Self {
        let outlet = Arc::new(Outlet::new(config.lifecycle, Arc::clone(counters)));
        let carrier = match &config.reach {
            Reach::Link => {
                let limits = PoolLimits { instances: config.instances, in_flight: config.route.max_in_flight, breaker: config.breaker };
                Carrier::Links(Links::new(Pool::new(name.as_str().into(), limits)))
            }
            Reach::Webhook(webhook) => {
                let webhook = Webhook::new(name.clone(), Arc::clone(webhook), Arc::clone(counters), node_end.clone());
                if config.lifecycle_events != Interests::default() {
                    webhook.send_events(Arc::clone(&outlet));
                }
                Carrier::Webhook(webhook)
            }
        };
        let order_queues = Mutex::new(OrderQueues::new(config.order_queue));
        let (routes, lifecycle_events) = (RouteTable::new(config.route, config.methods), config.lifecycle_events);
        Self { name, routes, carrier, lifecycle_events, outlet, order_queues, room: RoomQueue::default() }
    }

    /// All kinds of lifecycle events that the service wants, or that its instances have wanted since the start.
    pub(super) fn interests(&self) -> Interests {
        match &self.carrier {
            Carrier::Links(links) => links.lock().interests(),
            Carrier::Webhook(_) => self.lifecycle_events,
        }
    }

    /// Offers a lifecycle event. `None` if the service does not want its kind.
    pub(super) fn offer(&self, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Option<Offered> {
        match &self.carrier {
            Carrier::Links(links) => self.outlet.offer_to(links, event, credit_use, now),
            Carrier::Webhook(_) if !self.lifecycle_events.contains(Interests::only(event.kind())) => None,
            Carrier::Webhook(_) => Some(self.outlet.enqueue(event, credit_use, now)),
        }
    }

    /// Its links, if it is reached by links.
    pub(super) fn links(&self) -> Option<&Links> {
        match &self.carrier {
            Carrier::Links(links) => Some(links),
            Carrier::Webhook(_) => None,
        }
    }

    #[cfg(test)]
    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.links().expect("reached by links").lock()
    }

    pub(super) fn order_queues(&self) -> MutexGuard<'_, OrderQueues> {
        self.order_queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
