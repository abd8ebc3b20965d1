//! Faults of a standalone server and its replica, which an operator promotes.

use super::{
    injector::{FaultInjector, Loss},
    kind::Fault,
};
use crate::{node::Node, queues::redis_client::NAME, store::standalone::Standalone, tally::Count};
use rand::RngExt as _;
use redis_testing::{Connections, Server};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Time limit for the gateways to close their connections to the old Redis after a promotion.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of connections of gateways.
async fn gateways_at(server: &Server) -> usize {
    let others = [format!(" name={NAME} "), " flags=S ".into(), " cmd=client|list ".into()];
    let listed = server.command(&["CLIENT", "LIST"]).await.text();
    listed.lines().filter(|line| !others.iter().any(|other| line.contains(other))).count()
}

impl FaultInjector<'_> {
    pub(super) async fn inject_standalone(&mut self, fault: Fault, standalone: &mut Standalone) {
        let loses = matches!(fault, Fault::CrashRedis | Fault::WipeRedis | Fault::Flush | Fault::Promote);
        let _at_risk = loses.then(|| self.risk(Loss::Everywhere, |_| true));
        match fault {
            Fault::Promote => self.promote_standby(standalone).await,
            _ => self.inject_server(fault, &mut standalone.primary).await,
        }
    }

    /// Disconnects a replica from its primary, so that it lags behind, and promotes it. One node uses the new primary first, and publishes into
    /// channels in which it may have no subscriber. The old primary still answers. A gateway with any connection to the new one must leave it.
    async fn promote_standby(&mut self, standalone: &mut Standalone) {
        standalone.standby.follow(&standalone.primary).await;
        let replica = standalone.replace_standby().await;
        replica.command(&["REPLICAOF", "NO", "ONE"]).await;
        self.pause(2).await;
        let point = |node: &Node, which| {
            for proxy in &node.proxies {
                proxy.point_to(replica.address());
                proxy.cut(which);
            }
        };
        point(self.node, Connections::All);
        self.publish_through_one_node(|_| true).await;
        for (at, node) in self.world.nodes.iter().enumerate() {
            if at != self.at {
                point(node, [Connections::All, Connections::Commands, Connections::Subscribers][self.random.random_range(0..3)]);
                self.pause(1).await;
            }
        }
        let old_is_unused = async {
            while gateways_at(&standalone.primary).await > 0 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(LEAVE_TIMEOUT, old_is_unused).await.is_err() {
            let listed = standalone.primary.command(&["CLIENT", "LIST"]).await.text();
            let case = || format!("a gateway has connections to the old Redis and to the new one: {listed}");
            self.world.tally.violation(Count::Other, 1, case);
        }
        standalone.primary.kill();
        standalone.primary = replica;
        standalone.standby.follow(&standalone.primary).await;
    }
}
