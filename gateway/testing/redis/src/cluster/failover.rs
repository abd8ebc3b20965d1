//! Replicas that take over.

use super::cluster::Cluster;
use crate::wait::{PATIENCE, until};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a master and its replica try, before they give a failover up.
const ATTEMPT: Duration = Duration::from_secs(6);

impl Cluster {
    /// Lets a replica take over from its master, which waits until it has everything. If that takes too long the two give it up, and have to be asked again.
    pub async fn fail_over(&self, replica: usize) {
        let replica = &self.members[replica];
        let over = async {
            while !replica.is_master().await {
                // Refused as long as the last attempt is not given up.
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

    /// Waits until a replica takes over by itself.
    pub async fn takes_over(&self, replica: usize) {
        until("the replica takes over", async || self.members[replica].is_master().await).await;
    }

    /// Waits until a replica has what its master has now.
    pub async fn await_replica(&self, replica: usize, master: usize) {
        let all = self.members[master].replicated().await;
        until("the replica keeps up", async || self.members[replica].replicated().await >= all).await;
    }
}
