//! Failovers from a master to its replica.

use super::cluster::Cluster;
use crate::wait::{PATIENCE, until};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a master and its replica try a failover before they give up.
const ATTEMPT: Duration = Duration::from_secs(6);

impl Cluster {
    /// Makes a replica take over from its master. The master first waits until the replica has all data. If that takes too long, the
    /// servers give up, and this function sends the command again.
    pub async fn fail_over(&self, replica: usize) {
        let replica = &self.members[replica];
        let over = async {
            while !replica.is_master().await {
                // The replica refuses this until it has given up its last attempt.
                let _ = replica.try_command(&["CLUSTER", "FAILOVER"]).await;
                let taken = async {
                    while !replica.is_master().await {
                        sleep(Duration::from_millis(20)).await;
                    }
                };
                let _ = timeout(ATTEMPT, taken).await;
            }
        };
        timeout(PATIENCE, over).await.expect("the replica takes over");
    }

    /// Waits until a replica has taken over without a command.
    pub async fn takes_over(&self, replica: usize) {
        until("the replica takes over", async || self.members[replica].is_master().await).await;
    }

    /// Waits until a replica has all data that its master has now.
    pub async fn await_replica(&self, replica: usize, master: usize) {
        let all = self.members[master].replicated().await;
        until("the replica has the master's data", async || self.members[replica].replicated().await >= all).await;
    }
}
