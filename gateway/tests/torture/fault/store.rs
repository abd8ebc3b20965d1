//! Faults of a Redis server that every kind of store has.

use super::{injector::FaultInjector, kind::Fault};
use crate::{store::Store, tally::Count};
use rand::RngExt as _;
use redis_testing::{Server, Signal};
use std::time::Duration;
use tokio::time::sleep;

impl FaultInjector<'_> {
    pub(super) async fn inject_store(&mut self, fault: Fault) {
        let mut store = self.world.store.lock().await;
        if !store.is_as_it_was().await {
            let case = || "a replica took over without a fault of its master: is this machine too busy?".into();
            self.world.tally.violation(Count::Other, 1, case);
        }
        match &mut *store {
            Store::Standalone(standalone) => self.inject_standalone(fault, standalone).await,
            Store::Sentinels(sentinels) => self.inject_sentinels(fault, sentinels).await,
            Store::Cluster(cluster) => self.inject_cluster(fault, cluster).await,
            Store::Servers(servers) => self.inject_servers(fault, servers).await,
        }
    }

    pub(super) async fn inject_server(&mut self, fault: Fault, redis: &mut Server) {
        match fault {
            Fault::RestartRedis => redis.shut_down().await,
            Fault::CrashRedis => {
                redis.command(&["SAVE"]).await;
                self.pause(2).await;
                redis.kill();
            }
            Fault::WipeRedis => {
                redis.kill();
                redis.wipe();
            }
            Fault::PauseRedis => {
                redis.signal(Signal::STOP);
                sleep(Duration::from_secs(if self.short { 3 } else { 15 })).await;
                redis.signal(Signal::CONT);
                return;
            }
            Fault::KillPubsub => {
                for _ in 0..self.random.random_range(1..5) {
                    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                    self.pause(1).await;
                }
                return;
            }
            _ => {
                redis.command(&["FLUSHALL"]).await;
                return;
            }
        }
        self.pause(3).await;
        redis.resume().await;
    }
}
