//! One configured service: its instances and the order of its calls.

use super::{
    config::ServiceConfig,
    instances::pool::{Pool, PoolLimits},
    order_queues::OrderQueues,
};
use gateway_core::model::ServiceName;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One configured service.
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) config: ServiceConfig,
    pool: Mutex<Pool>,
    order_queues: Mutex<OrderQueues>,
}

impl Service {
    pub(super) fn new(name: ServiceName, config: ServiceConfig) -> Self {
        let limits = PoolLimits { instances: config.instances, in_flight: config.max_in_flight, breaker: config.breaker };
        let pool = Mutex::new(Pool::new(name.as_str().into(), limits));
        let order_queues = Mutex::new(OrderQueues::new(config.order_queue));
        Self { name, config, pool, order_queues }
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn order_queues(&self) -> MutexGuard<'_, OrderQueues> {
        self.order_queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
