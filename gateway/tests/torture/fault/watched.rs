//! A master that sentinels watch. Replication lags behind: whatever makes them name the replica loses something.

use super::{Fault, Hand};
use crate::store::watched::Watched;

impl Hand<'_> {
    pub(super) async fn strike_watched(&mut self, fault: Fault, watched: &mut Watched) {
        let (master, replica) = watched.roles();
        let _at_risk = (fault != Fault::KillPubsub).then(|| self.risk(|_| true));
        match fault {
            Fault::Failover => watched.fail_over().await,
            Fault::KillMaster | Fault::Promote => {
                if fault == Fault::Promote {
                    watched.servers[replica].fall_behind().await;
                    self.pause(2).await;
                }
                watched.servers[master].kill().await;
                watched.servers[master].wipe();
                watched.fails_over().await;
                if fault == Fault::Promote {
                    self.publish_unseen(|_| true).await;
                    watched.servers[replica].catch_up().await;
                }
                self.pause(2).await;
                watched.servers[master].resume().await;
            }
            _ => self.strike_server(fault, &mut watched.servers[master]).await,
        }
        watched.settle().await;
    }
}
