//! A server that follows another one.

use crate::{servers::server::Server, wait::until};

impl Server {
    /// Becomes a replica of the other one, and has its data.
    pub async fn follow(&self, primary: &Self) {
        let address = primary.address();
        self.command(&["REPLICAOF", &address.ip().to_string(), &address.port().to_string()]).await;
        until("the replica is linked", async || self.is_linked().await).await;
    }

    /// Whether it is a replica that has what its master has.
    pub async fn is_linked(&self) -> bool {
        let replication = self.info("replication").await;
        replication.contains("role:slave") && replication.contains("master_link_status:up")
    }

    /// Whether it takes writes.
    pub async fn is_master(&self) -> bool {
        self.info("replication").await.contains("role:master")
    }

    /// From now on this replica gets nothing more: the server that it follows knows no such user.
    pub async fn fall_behind(&self) {
        for (setting, value) in [("masteruser", "nobody"), ("masterauth", "none")] {
            self.command(&["CONFIG", "SET", setting, value]).await;
        }
        self.command(&["CLIENT", "KILL", "TYPE", "master"]).await;
        until("the replica is cut off", async || self.info("replication").await.contains("master_link_status:down")).await;
    }

    /// It may follow others again.
    pub async fn catch_up(&self) {
        for setting in ["masteruser", "masterauth"] {
            self.command(&["CONFIG", "SET", setting, ""]).await;
        }
    }

    /// How far it is in the stream of changes of its master, or its own.
    pub async fn replicated(&self) -> u64 {
        let info = self.info("replication").await;
        let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
        offset.and_then(|offset| offset.trim().parse().ok()).expect("it says so")
    }
}
