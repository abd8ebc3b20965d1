//! Faults of clients.

use super::{injector::FaultInjector, kind::Fault};
use crate::publisher::burst;
use rand::RngExt as _;
use redis_testing::{Connections, Impairment};
use std::time::Duration;
use tokio::time::sleep;

impl FaultInjector<'_> {
    pub(super) async fn inject_clients(&mut self, fault: Fault) {
        let (world, at) = (self.world, self.at);
        let (channel, other) = (self.channel(), self.channel());
        match fault {
            Fault::DropClients => {
                let drops = async {
                    for _ in 0..self.random.random_range(4..12) {
                        self.pause(1).await;
                        world.nodes[self.random.random_range(0..world.nodes.len())].public.cut(Connections::All);
                    }
                };
                tokio::join!(burst(world, &channel, 600, None), drops);
            }
            Fault::SlowClients => {
                self.node.public.impair(Impairment { rate: Some(2_000), ..Impairment::default() });
                tokio::join!(burst(world, &channel, 2500, None), sleep(Duration::from_secs(5)));
                self.node.public.impair(Impairment::default());
            }
            _ => {
                tokio::join!(burst(world, &channel, 600, None), burst(world, &other, 600, Some(at)));
            }
        }
    }
}
