//! Faults of the services that take events out of queues.

use super::{injector::FaultInjector, kind::Fault};
use crate::queues::{life::Life, plan::VISIBILITY};
use rand::{RngExt as _, seq::IndexedRandom as _};
use tokio::time::sleep;

impl FaultInjector<'_> {
    /// Kills or freezes some consumers, or all.
    pub(super) async fn inject_consumers(&mut self, fault: Fault) {
        let Some(queues) = &self.world.queues else { return };
        let all = &queues.consumers.all;
        let count = if self.random.random_ratio(1, 4) { all.len() } else { self.random.random_range(1..all.len()) };
        let some: Vec<_> = all.sample(self.random, count).collect();
        let life = if fault == Fault::KillConsumer { Life::Dead } else { Life::Frozen };
        for consumer in &some {
            consumer.send_replace(life);
        }
        match fault {
            Fault::KillConsumer => self.pause(2).await,
            _ => sleep(VISIBILITY.mul_f64(self.random.random_range(1.2..2.5))).await,
        }
        for consumer in &some {
            consumer.send_replace(Life::Running);
        }
    }
}
