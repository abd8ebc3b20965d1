//! Faults of a master that sentinels watch. Replication lags behind, so every failover loses publications.

use super::{
    injector::{FaultInjector, Loss},
    kind::Fault,
};
use redis_testing::Sentinels;

impl FaultInjector<'_> {
    pub(super) async fn inject_sentinels(&mut self, fault: Fault, sentinels: &mut Sentinels) {
        let (master, replica) = sentinels.roles();
        let _at_risk = (fault != Fault::KillPubsub).then(|| self.risk(Loss::of(fault), |_| true));
        match fault {
            Fault::Failover => sentinels.fail_over().await,
            Fault::KillMaster | Fault::Promote => {
                if fault == Fault::Promote {
                    sentinels.servers[replica].fall_behind().await;
                    self.pause(2).await;
                }
                sentinels.servers[master].kill();
                sentinels.servers[master].wipe();
                sentinels.fails_over().await;
                if fault == Fault::Promote {
                    self.publish_through_one_node(|_| true).await;
                    sentinels.servers[replica].catch_up().await;
                }
                self.pause(2).await;
                sentinels.servers[master].resume().await;
            }
            _ => self.inject_server(fault, &mut sentinels.servers[master]).await,
        }
        sentinels.settle().await;
    }
}
