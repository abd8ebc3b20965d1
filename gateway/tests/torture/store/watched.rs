//! A master and its replica, and sentinels that watch them.

use super::redis::{Redis, until};
use std::{collections::HashMap, path::Path};

/// What the sentinels call the master.
pub(super) const SERVICE: &str = "main";
const SENTINELS: usize = 3;

/// See the module.
pub(crate) struct Watched {
    pub(crate) servers: [Redis; 2],
    pub(crate) sentinels: Vec<Redis>,
    /// Who was the master when it was settled last.
    master: usize,
}

impl Watched {
    pub(super) async fn start(directory: &Path) -> Self {
        let server =
            async |number: usize| Redis::start(directory.join(format!("redis-{number}")), &["--repl-ping-replica-period", "1"]).await;
        let servers = [server(0).await, server(1).await];
        servers[1].follow(&servers[0]).await;
        let mut sentinels = Vec::new();
        for number in 0..SENTINELS {
            let settings = format!(
                "sentinel monitor {SERVICE} 127.0.0.1 {} {}\nsentinel down-after-milliseconds {SERVICE} 3000\nsentinel failover-timeout {SERVICE} 5000\n",
                servers[0].address.port(),
                SENTINELS / 2 + 1
            );
            sentinels.push(Redis::start_sentinel(directory.join(format!("sentinel-{number}")), &settings).await);
        }
        let mut watched = Self { servers, sentinels, master: 0 };
        watched.settle().await;
        watched
    }

    /// The master, and its replica, by number.
    pub(crate) fn roles(&self) -> (usize, usize) {
        (self.master, 1 - self.master)
    }

    /// Whether the master is who it was when it was settled last.
    pub(crate) async fn is_as_it_was(&mut self) -> bool {
        let before = self.master;
        self.settle().await;
        self.master == before
    }

    /// Awaits that all sentinels name the same master, that its replica has everything, and that another failover is possible.
    pub(crate) async fn settle(&mut self) {
        until("sentinels and servers settle", async || self.settled().await.is_some()).await;
        self.master = self.settled().await.unwrap_or(self.master);
    }

    /// Awaits that the sentinels name another master than before.
    pub(crate) async fn fails_over(&self) {
        until("the sentinels name another master", async || self.named(&self.sentinels[0]).await == Some(1 - self.master)).await;
    }

    /// Tells them to make the replica the master.
    pub(crate) async fn fail_over(&self) {
        let sentinel = &self.sentinels[0];
        // They refuse while they have the last failover in mind.
        until("the sentinels begin a failover", async || sentinel.try_command(&["SENTINEL", "FAILOVER", SERVICE]).await.is_ok()).await;
        self.fails_over().await;
    }

    async fn settled(&self) -> Option<usize> {
        let master = self.named(&self.sentinels[0]).await?;
        for sentinel in &self.sentinels {
            let said = sentinel.try_command(&["SENTINEL", "MASTER", SERVICE]).await.ok()?;
            let said: HashMap<String, String> = redis::from_redis_value(said).ok()?;
            let says = |name: &str, value: &str| said.get(name).is_some_and(|said| said == value);
            let well = says("flags", "master") && says("num-slaves", "1") && says("num-other-sentinels", &(SENTINELS - 1).to_string());
            if !well || self.named(sentinel).await? != master {
                return None;
            }
        }
        let linked = self.servers[1 - master].is_linked().await;
        let leads = self.servers[master].replication().await;
        (linked && leads.contains("role:master") && leads.contains("connected_slaves:1")).then_some(master)
    }

    /// The server that a sentinel names.
    async fn named(&self, sentinel: &Redis) -> Option<usize> {
        let said = sentinel.try_command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await.ok()?;
        let (_, port): (String, u16) = redis::from_redis_value(said).ok()?;
        self.servers.iter().position(|server| server.address.port() == port)
    }
}
