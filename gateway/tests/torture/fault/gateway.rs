//! Faults of a gateway's process.

use super::{injector::FaultInjector, kind::Fault};
use crate::world::LEASE;
use rand::RngExt as _;
use redis_testing::Signal;
use tokio::time::sleep;

impl FaultInjector<'_> {
    pub(super) async fn inject_gateway(&mut self, fault: Fault) {
        let node = self.node;
        let _only_fault = node.fault_lock.lock().await;
        match fault {
            Fault::StopGateway => {
                node.signal(Signal::STOP).await;
                sleep(LEASE.mul_f64(self.random.random_range(1.5..3.0))).await;
                node.signal(Signal::CONT).await;
                return;
            }
            Fault::DrainGateway => node.drain().await,
            _ => node.kill().await,
        }
        self.pause(2).await;
        node.start().await;
    }
}
