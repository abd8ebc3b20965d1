//! One server, and a replica that an operator promotes.

use super::{hand::Hand, kind::Fault};
use crate::{node::Node, store::alone::Alone, tally::Count};
use rand::RngExt as _;
use redis_testing::Connections;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// For connections to a Redis that is no longer the one.
const LET_GO: Duration = Duration::from_secs(10);

impl Hand<'_> {
    pub(super) async fn strike_alone(&mut self, fault: Fault, alone: &mut Alone) {
        let loses = matches!(fault, Fault::CrashRedis | Fault::WipeRedis | Fault::Flush | Fault::Promote);
        let _at_risk = loses.then(|| self.risk(|_| true));
        match fault {
            Fault::Promote => self.promote_standby(alone).await,
            _ => self.strike_server(fault, &mut alone.primary).await,
        }
    }

    /// A replica is cut off, lags behind, and takes over: first for one node, which publishes into channels of which it may have no subscriber.
    /// The old one still answers: whoever has any connection to the new one has to leave it.
    async fn promote_standby(&mut self, alone: &mut Alone) {
        alone.standby.follow(&alone.primary).await;
        let replica = alone.relieve_standby().await;
        replica.command(&["REPLICAOF", "NO", "ONE"]).await;
        self.pause(2).await;
        let point = |node: &Node, which| {
            for line in &node.lines {
                line.point_to(replica.address());
                line.cut(which);
            }
        };
        point(self.node, Connections::All);
        self.publish_unseen(|_| true).await;
        for (at, node) in self.world.nodes.iter().enumerate() {
            if at != self.at {
                point(node, [Connections::All, Connections::Commands, Connections::Subscribers][self.random.random_range(0..3)]);
                self.pause(1).await;
            }
        }
        let let_go = async {
            while alone.primary.clients().await > 0 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(LET_GO, let_go).await.is_err() {
            let case = || "gateways hold on to the old Redis, and to the new one as well".into();
            self.world.tally.wrong(Count::Other, 1, case);
        }
        alone.primary.kill();
        alone.primary = replica;
        alone.standby.follow(&alone.primary).await;
    }
}
