//! A master that sentinels watch. Replication lags behind: whatever makes them name the replica loses something.

use super::{hand::Hand, kind::Fault};
use redis_testing::Sentinels;

impl Hand<'_> {
    pub(super) async fn strike_sentinels(&mut self, fault: Fault, sentinels: &mut Sentinels) {
        let (master, replica) = sentinels.roles();
        let _at_risk = (fault != Fault::KillPubsub).then(|| self.risk(|_| true));
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
                    self.publish_unseen(|_| true).await;
                    sentinels.servers[replica].catch_up().await;
                }
                self.pause(2).await;
                sentinels.servers[master].resume().await;
            }
            _ => self.strike_server(fault, &mut sentinels.servers[master]).await,
        }
        sentinels.settle().await;
    }
}
