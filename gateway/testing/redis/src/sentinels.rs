//! A master, its replica, and sentinels that watch them.

use crate::{
    resp::reply::Reply,
    servers::options::{Options, Part},
    servers::server::Server,
    wait::until,
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tokio::time::timeout;

/// Name by which sentinels know the master. It is the service in URLs.
pub const SERVICE: &str = "main";

/// How often a failover is started.
const ATTEMPTS: u32 = 4;
/// Time for one of them.
const ATTEMPT: Duration = Duration::from_secs(15);

/// Options for [`Sentinels::start`].
#[derive(Clone, Debug)]
pub struct SentinelOptions {
    /// Number of sentinels.
    pub count: usize,
    /// The sentinels consider the master dead after this time without an answer.
    pub down_after: Duration,
    /// Longest time for a failover.
    pub failover_timeout: Duration,
    /// The directory for data and logs. `None`: temporary directories, which are deleted with the servers.
    pub directory: Option<PathBuf>,
    /// On which ports and addresses servers and sentinels listen.
    pub listen: Options,
    /// Further lines of the sentinels' configuration files.
    pub more: String,
}

/// A master, its replica, and sentinels.
pub struct Sentinels {
    /// The master and the replica, in any order.
    pub servers: [Server; 2],
    /// The sentinels.
    pub sentinels: Vec<Server>,
    /// The number of the master when servers and sentinels were last settled.
    master: usize,
}

impl Default for SentinelOptions {
    /// Three sentinels. `down_after` is long, so that they do not consider a master dead because the machine is busy.
    fn default() -> Self {
        Self {
            count: 3,
            down_after: Duration::from_mins(1),
            failover_timeout: Duration::from_secs(3),
            directory: None,
            listen: Options::default().with_port(),
            more: String::new(),
        }
    }
}

impl SentinelOptions {
    fn options(&self, name: &str) -> Options {
        let options = self.listen.clone();
        match &self.directory {
            Some(directory) => options.in_directory(directory.join(name)),
            None => options,
        }
    }

    /// Starts one sentinel, which watches the master at this address. `quorum` sentinels must agree that the master is dead before a
    /// failover.
    pub async fn start_sentinel(&self, name: &str, master: SocketAddr, quorum: usize) -> Server {
        let (host, port) = (master.ip(), master.port());
        let (down_after, failover) = (self.down_after.as_millis(), self.failover_timeout.as_millis());
        let file = format!(
            "sentinel monitor {SERVICE} {host} {port} {quorum}\n\
             sentinel down-after-milliseconds {SERVICE} {down_after}\n\
             sentinel failover-timeout {SERVICE} {failover}\n{}\n",
            self.more
        );
        Server::start_with(self.options(name).of(Part::Sentinel(file))).await
    }

    /// Starts one sentinel. Its configuration file contains only [`Self::more`], so it need not watch a master.
    pub async fn start_alone(&self, name: &str) -> Server {
        Server::start_with(self.options(name).of(Part::Sentinel(self.more.clone()))).await
    }
}

impl Sentinels {
    /// Starts the servers and the sentinels. Waits until they are settled, so that a failover is possible.
    pub async fn start(options: SentinelOptions) -> Self {
        let server = async |number: usize| {
            let server = options.options(&format!("redis-{number}"));
            Server::start_with(server.with(&["--repl-ping-replica-period", "1"])).await
        };
        let servers = [server(0).await, server(1).await];
        servers[1].follow(&servers[0]).await;
        let (master, quorum) = (servers[0].address(), options.count / 2 + 1);
        let mut sentinels = Vec::new();
        for number in 0..options.count {
            sentinels.push(options.start_sentinel(&format!("sentinel-{number}"), master, quorum).await);
        }
        let mut all = Self { servers, sentinels, master: 0 };
        all.settle().await;
        all
    }

    /// The numbers of the master and of its replica, as they were last settled.
    pub fn roles(&self) -> (usize, usize) {
        (self.master, 1 - self.master)
    }

    /// The server that was the master when servers and sentinels were last settled.
    pub fn master(&mut self) -> &mut Server {
        &mut self.servers[self.master]
    }

    /// Hosts and ports of the sentinels, as in a URL.
    pub fn hosts(&self) -> String {
        self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect::<Vec<_>>().join(",")
    }

    /// The gateway's URL of the service: `redis+sentinel://hosts/service`.
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{SERVICE}", self.hosts())
    }

    /// Waits until servers and sentinels are settled. Returns whether the master is the same as when they were last settled.
    pub async fn is_as_it_was(&mut self) -> bool {
        let before = self.master;
        self.settle().await;
        self.master == before
    }

    /// Waits until all sentinels name the same master, its replica is synchronised, and another failover is possible.
    pub async fn settle(&mut self) {
        until("sentinels and servers settle", async || self.settled().await.is_some()).await;
        self.master = self.settled().await.unwrap_or(self.master);
    }

    /// Waits until all sentinels name the replica as the master.
    ///
    /// A sentinel that does not know of the failover yet would make the new master a replica of the old one as soon as the old one starts again.
    /// If the old one has no data, all data is lost.
    pub async fn fails_over(&self) {
        until("the sentinels name another master", async || {
            for sentinel in &self.sentinels {
                if self.named(sentinel).await != Some(1 - self.master) {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// Makes the sentinels consider no master dead from now on, so that a server that has just started without its data does not become the master.
    pub async fn disable_failovers(&self) {
        let down_after = Duration::from_hours(1).as_millis().to_string();
        for sentinel in &self.sentinels {
            sentinel.command(&["SENTINEL", "SET", SERVICE, "down-after-milliseconds", &down_after]).await;
        }
    }

    /// Makes the sentinels start a failover, and waits until the replica is the master.
    pub async fn fail_over(&self) {
        let sentinel = &self.sentinels[0];
        for _ in 0..ATTEMPTS {
            // A sentinel refuses this for some time after a failover.
            until("the sentinels begin a failover", async || sentinel.try_command(&["SENTINEL", "FAILOVER", SERVICE]).await.is_ok()).await;
            // Another sentinel that does not know of it yet may turn the new master into a replica again. Then this one gives up.
            if timeout(ATTEMPT, self.fails_over()).await.is_ok() {
                return;
            }
        }
        panic!("the sentinels name the same master after {ATTEMPTS} failovers");
    }

    async fn settled(&self) -> Option<usize> {
        let master = self.named(&self.sentinels[0]).await?;
        for sentinel in &self.sentinels {
            let said = sentinel.try_command(&["SENTINEL", "MASTER", SERVICE]).await.ok()?.map();
            let says = |name: &str, value: &str| said.get(name).is_some_and(|said| said == value);
            let others = (self.sentinels.len() - 1).to_string();
            let well = says("flags", "master") && says("num-slaves", "1") && says("num-other-sentinels", &others);
            if !well || self.named(sentinel).await? != master {
                return None;
            }
        }
        let leads = self.servers[master].info("replication").await;
        let is_followed = leads.contains("role:master") && leads.contains("connected_slaves:1");
        (is_followed && self.servers[1 - master].is_linked().await).then_some(master)
    }

    /// The number of the server that a sentinel names as the master.
    async fn named(&self, sentinel: &Server) -> Option<usize> {
        let said = sentinel.try_command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await.ok()?;
        let port: u16 = if said == Reply::Nil { return None } else { said.texts()[1].parse().ok()? };
        self.servers.iter().position(|server| server.address().port() == port)
    }
}
