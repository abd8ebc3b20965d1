//! Faults of one of several independent servers. They affect only what belongs to it.

use super::{
    injector::{FaultInjector, Loss},
    kind::Fault,
};
use crate::store::server_of;
use rand::RngExt as _;
use redis_testing::Server;

impl FaultInjector<'_> {
    pub(super) async fn inject_servers(&mut self, fault: Fault, servers: &mut [Server]) {
        let at = self.random.random_range(0..servers.len());
        let loses = matches!(fault, Fault::CrashRedis | Fault::WipeRedis | Fault::Flush);
        let _at_risk = loses.then(|| self.risk(Loss::Everywhere, |tag| server_of(tag) == at));
        self.inject_server(fault, &mut servers[at]).await;
    }
}
