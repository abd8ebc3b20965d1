//! A master of a Redis Cluster: what befalls it concerns the channels of its slots only.

use super::{Fault, Hand};
use crate::{ledger::Channel, store::cluster::Cluster};
use rand::{RngExt as _, seq::IndexedRandom as _};
use rustix::process::Signal;
use std::collections::HashMap;
use tokio::time::sleep;

impl Hand<'_> {
    pub(super) async fn strike_cluster(&mut self, fault: Fault, cluster: &mut Cluster) {
        let mut owners = HashMap::new();
        for channel in &self.world.channels {
            owners.insert(channel.name.clone(), cluster.owner(cluster.slot(&channel.name).await));
        }
        let master = owners[&self.channel().name];
        let has = |channel: &Channel| owners[&channel.name] == master;
        let kept = matches!(fault, Fault::MoveSlot | Fault::Failover | Fault::RestartRedis | Fault::KillPubsub);
        let _at_risk = (!kept).then(|| self.risk(self.world.channels.iter().filter(|channel| has(channel)).cloned()));
        let replica = cluster.replica_of(master);
        match fault {
            Fault::MoveSlot => self.move_slots(cluster).await,
            Fault::Failover => cluster.fail_over(replica).await,
            Fault::KillMaster => {
                cluster.members[master].kill().await;
                cluster.members[master].wipe();
                cluster.takes_over(replica).await;
                self.pause(2).await;
                cluster.members[master].resume().await;
            }
            Fault::Promote => self.promote_member(cluster, master, replica, has).await,
            _ => self.strike_server(fault, &mut cluster.members[master]).await,
        }
        cluster.settle().await;
    }

    /// Slots of some channels, one after the other, each to any other master.
    async fn move_slots(&mut self, cluster: &mut Cluster) {
        for _ in 0..self.random.random_range(1..4) {
            let slot = cluster.slot(&self.channel().name).await;
            let others: Vec<_> = cluster.masters().into_iter().filter(|master| *master != cluster.owner(slot)).collect();
            let to = *others.choose(self.random).expect("there are others");
            let halfway = sleep(self.millis(0..1500));
            cluster.move_slot(slot, to, halfway).await;
            cluster.settle().await;
        }
    }

    /// A replica that was cut off takes over and asks nobody. The old master learns of it at once, or when it wakes.
    async fn promote_member(&mut self, cluster: &mut Cluster, master: usize, replica: usize, has: impl Fn(&Channel) -> bool) {
        let (master, replica) = (&cluster.members[master], &cluster.members[replica]);
        replica.fall_behind().await;
        self.pause(2).await;
        let sleeps: bool = self.random.random();
        if sleeps {
            master.signal(Signal::STOP);
        }
        replica.command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
        self.publish_unseen(has).await;
        if sleeps {
            master.signal(Signal::CONT);
        }
        replica.catch_up().await;
    }
}
