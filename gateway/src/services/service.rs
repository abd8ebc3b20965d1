//! One configured service: its instances and the order of its calls.

use super::{
    config::ServiceConfig,
    lanes::Lanes,
    pool::{Pool, PoolLimits},
};
use gateway_core::model::ServiceName;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One service at work.
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) config: ServiceConfig,
    pool: Mutex<Pool>,
    lanes: Mutex<Lanes>,
}

impl Service {
    pub(super) fn new(name: ServiceName, config: ServiceConfig) -> Self {
        let limits = PoolLimits { instances: config.instances, in_flight: config.max_in_flight, breaker: config.breaker };
        let pool = Mutex::new(Pool::new(name.as_str().into(), limits));
        let lanes = Mutex::new(Lanes::new(config.order_queue));
        Self { name, config, pool, lanes }
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
