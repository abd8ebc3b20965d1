//! One configured service: how it is reached, and the order of its calls.

use super::{
    carrier::Carrier,
    config::{Reach, ServiceConfig},
    counters::Counters,
    instances::{
        links::Links,
        pool::{Pool, PoolLimits},
    },
    order_queues::OrderQueues,
    routes::route_table::RouteTable,
    webhook::webhook::{NodeEnd, Webhook},
};
use gateway_core::model::ServiceName;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One configured service.
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) routes: RouteTable,
    pub(super) carrier: Carrier,
    order_queues: Mutex<OrderQueues>,
}

impl Service {
    /// `counters` and `node_end` are for its events.
    pub(super) fn new(name: ServiceName, config: ServiceConfig, counters: &Arc<Counters>, node_end: &NodeEnd) -> Self {
        let carrier = match &config.reach {
            Reach::Link => {
                let limits = PoolLimits { instances: config.instances, in_flight: config.route.max_in_flight, breaker: config.breaker };
                Carrier::Links(Links::new(Pool::new(name.as_str().into(), limits)))
            }
            Reach::Webhook(webhook) => {
                Carrier::Webhook(Webhook::new(name.clone(), Arc::clone(webhook), Arc::clone(counters), node_end.clone()))
            }
        };
        let order_queues = Mutex::new(OrderQueues::new(config.order_queue));
        Self { name, routes: RouteTable::new(config.route, config.methods), carrier, order_queues }
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
