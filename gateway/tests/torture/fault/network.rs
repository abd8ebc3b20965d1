//! Faults of a gateway's connections to Redis.

use super::{injector::FaultInjector, kind::Fault};
use rand::RngExt as _;
use redis_testing::{Connections, Impairment};
use std::time::Duration;
use tokio::time::sleep;

impl FaultInjector<'_> {
    pub(super) async fn inject_network(&mut self, fault: Fault) {
        let proxies = self.proxies();
        let set = |impairment: Impairment| proxies.iter().for_each(|proxy| proxy.impair(impairment.clone()));
        let (impairment, time) = match fault {
            Fault::MuteSubscriber => (Impairment { silent: Connections::Subscribers, ..Impairment::default() }, self.millis(1000..5000)),
            Fault::Isolate => (Impairment { silent: Connections::All, ..Impairment::default() }, self.millis(1000..8000)),
            Fault::SlowRedis => (Impairment { delay: self.millis(10..150), ..Impairment::default() }, Duration::from_secs(4)),
            Fault::ThrottleRedis => {
                (Impairment { rate: Some(self.random.random_range(10_000..100_000)), ..Impairment::default() }, Duration::from_secs(4))
            }
            _ => {
                for _ in 0..self.random.random_range(1..6) {
                    let which = [Connections::All, Connections::Subscribers, Connections::Commands][self.random.random_range(0..3)];
                    for proxy in proxies {
                        proxy.cut(which);
                    }
                    self.pause(1).await;
                }
                return;
            }
        };
        set(impairment);
        sleep(time).await;
        set(Impairment::default());
    }
}
