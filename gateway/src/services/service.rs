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
    queued::service_queue::ServiceQueue,
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
    /// The lifecycle events that its webhook or its queue gets.
    lifecycle_events: Interests,
    pub(super) outlet: Arc<Outlet>,
    order_queues: Mutex<OrderQueues>,
    /// The questions that wait for room.
    pub(super) room: RoomQueue,
    /// The queue of its events; None: it has none.
    pub(super) queue: Option<ServiceQueue>,
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
                if config.lifecycle_events != Interests::default() && config.queue.is_none() {
                    webhook.send_events(Arc::clone(&outlet));
                }
                Carrier::Webhook(webhook)
            }
            Reach::Queue => Carrier::Queue(name.clone()),
        };
        let order_queues = Mutex::new(OrderQueues::new(config.order_queue));
        let (routes, lifecycle_events) = (RouteTable::new(config.route, config.methods), config.lifecycle_events);
        let queue = config.queue.map(ServiceQueue::new);
        Self { name, routes, carrier, lifecycle_events, outlet, order_queues, room: RoomQueue::default(), queue }
    }

    /// All kinds of lifecycle events that the service wants, or that its instances have wanted since the start.
    pub(super) fn interests(&self) -> Interests {
        match &self.carrier {
            Carrier::Links(links) => links.lock().interests().union(self.lifecycle_events),
            Carrier::Webhook(_) | Carrier::Queue(_) => self.lifecycle_events,
        }
    }

    /// Offers a lifecycle event. `None` if the service does not want its kind.
    pub(super) fn offer(&self, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Option<Offered> {
        match &self.carrier {
            Carrier::Links(links) if self.queue.is_none() => self.outlet.offer_to(links, event, credit_use, now),
            _ if !self.interests().contains(Interests::only(event.kind())) => None,
            _ => Some(self.outlet.enqueue(event, credit_use, now)),
        }
    }

    /// Its links, if it is reached by links.
    pub(super) fn links(&self) -> Option<&Links> {
        match &self.carrier {
            Carrier::Links(links) => Some(links),
            Carrier::Webhook(_) | Carrier::Queue(_) => None,
        }
    }

    /// Lets what waits for credit, or for room in the queue of a link, look for it.
    pub(super) fn wake(&self) {
        self.room.wake();
        if let Some(queue) = &self.queue {
            queue.wake();
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
