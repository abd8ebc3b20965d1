//! Faults of a master of a Redis Cluster. They affect only the channels of its slots.

use super::{
    injector::{FaultInjector, Loss},
    kind::Fault,
};
use rand::{RngExt as _, seq::IndexedRandom as _};
use redis_testing::{Cluster, Signal, slot};
use std::future::ready;
use tokio::time::sleep;

/// The hash tag of the keys that all nodes share.
const NODES: &str = "nodes";
/// Number of hash slots.
const SLOTS: u16 = 16_384;

impl FaultInjector<'_> {
    pub(super) async fn inject_cluster(&mut self, fault: Fault, cluster: &mut Cluster) {
        let owners: Vec<_> = (0..SLOTS).map(|slot| cluster.owner(slot)).collect();
        let owner = |tag: &str| owners[usize::from(slot(tag))];
        let master = owner(&self.tag());
        let has = |tag: &str| owner(tag) == master;
        let kept = matches!(fault, Fault::MoveSlot | Fault::Failover | Fault::RestartRedis | Fault::KillPubsub);
        let _at_risk = (!kept).then(|| self.risk(Loss::Everywhere, has));
        let replica = cluster.replica_of(master);
        match fault {
            Fault::MoveSlot => self.move_slots(cluster).await,
            Fault::Failover => cluster.fail_over(replica).await,
            Fault::KillMaster => self.kill_member(cluster, master, replica).await,
            Fault::BreakMove => {
                let channel = self.world.channels.iter().find(|channel| has(&channel.name));
                let slot = channel.map_or_else(|| cluster.slot_of(master).expect("it has slots"), |channel| slot(&channel.name));
                let to = self.other_master(cluster, slot);
                cluster.announce_move(slot, to).await;
                cluster.move_keys(slot, to, self.random.random_range(1..50)).await;
                cluster.members[to].command(&["CLUSTER", "SETSLOT", &slot.to_string(), "STABLE"]).await;
                self.kill_member(cluster, master, replica).await;
                cluster.replicate(master, replica).await;
                cluster.settle().await;
                self.pause(2).await;
                cluster.move_slot(slot, to, ready(())).await;
            }
            Fault::Promote => self.promote_member(cluster, master, replica, has).await,
            _ => self.inject_server(fault, &mut cluster.members[master]).await,
        }
        cluster.settle().await;
    }

    fn other_master(&mut self, cluster: &Cluster, slot: u16) -> usize {
        let others: Vec<_> = cluster.masters().into_iter().filter(|master| *master != cluster.owner(slot)).collect();
        *others.choose(self.random).expect("there are others")
    }

    /// Kills a master. It restarts as a replica of its successor.
    async fn kill_member(&mut self, cluster: &mut Cluster, master: usize, replica: usize) {
        cluster.members[master].kill();
        cluster.members[master].wipe();
        cluster.takes_over(replica).await;
        self.pause(2).await;
        cluster.members[master].resume().await;
    }

    /// Moves some slots, one after the other, to random masters: slots of channels, and the slot of the keys that all nodes share. Sometimes the
    /// smallest master loses its last slot.
    async fn move_slots(&mut self, cluster: &mut Cluster) {
        for _ in 0..self.random.random_range(1..4) {
            let tag = self.tag();
            let mut slot = slot(if self.random.random_ratio(1, 8) { NODES } else { &tag });
            if self.random.random() {
                slot = cluster.slot_of(cluster.smallest()).unwrap_or(slot);
            }
            let to = self.other_master(cluster, slot);
            let halfway = sleep(self.millis(0..1500));
            cluster.move_slot(slot, to, halfway).await;
            cluster.settle().await;
        }
    }

    /// Promotes a replica that lags behind, without the agreement of the other masters. The old master learns of it at once, or after a pause of its
    /// process.
    async fn promote_member(&mut self, cluster: &mut Cluster, master: usize, replica: usize, has: impl Fn(&str) -> bool) {
        let (master, replica) = (&cluster.members[master], &cluster.members[replica]);
        replica.fall_behind().await;
        self.pause(2).await;
        let sleeps: bool = self.random.random();
        if sleeps {
            master.signal(Signal::STOP);
        }
        replica.command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
        self.publish_through_one_node(has).await;
        if sleeps {
            master.signal(Signal::CONT);
        }
        replica.catch_up().await;
    }
}
