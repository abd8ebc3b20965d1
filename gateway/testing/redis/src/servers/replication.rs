//! Replication: commands and questions about a replica and its master.

use crate::{servers::server::Server, wait::until};

impl Server {
    /// Makes this server a replica of `primary`, and waits until it has the data.
    pub async fn follow(&self, primary: &Self) {
        let address = primary.address();
        self.command(&["REPLICAOF", &address.ip().to_string(), &address.port().to_string()]).await;
        until("the replica is synchronised", async || self.is_linked().await).await;
    }

    /// Whether this server is a replica that is synchronised with its master.
    pub async fn is_linked(&self) -> bool {
        let replication = self.info("replication").await;
        replication.contains("role:slave") && replication.contains("master_link_status:up")
    }

    /// Whether this server is a master.
    pub async fn is_master(&self) -> bool {
        self.info("replication").await.contains("role:master")
    }

    /// Makes this replica receive no more changes: it gets a user that its master does not know.
    pub async fn fall_behind(&self) {
        for (setting, value) in [("masteruser", "nobody"), ("masterauth", "none")] {
            self.command(&["CONFIG", "SET", setting, value]).await;
        }
        self.command(&["CLIENT", "KILL", "TYPE", "master"]).await;
        until("the replica loses the connection to its master", async || {
            self.info("replication").await.contains("master_link_status:down")
        })
        .await;
    }

    /// Removes that user, so that the replica can follow its master again.
    pub async fn catch_up(&self) {
        for setting in ["masteruser", "masterauth"] {
            self.command(&["CONFIG", "SET", setting, ""]).await;
        }
    }

    /// The replication offset: how far this replica is in its master's stream of changes, or how long a master's own stream is.
    pub async fn replicated(&self) -> u64 {
        let info = self.info("replication").await;
        let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
        offset.and_then(|offset| offset.trim().parse().ok()).expect("INFO contains the offset")
    }
}
