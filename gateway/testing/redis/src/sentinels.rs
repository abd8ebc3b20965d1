//! A master and its replica, and sentinels that watch them.

use crate::{
    resp::reply::Reply,
    servers::options::{Options, Part},
    servers::server::Server,
    wait::until,
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// What the sentinels call the master.
pub const SERVICE: &str = "main";

/// How [`Sentinels`] are started.
#[derive(Clone, Debug)]
pub struct SentinelOptions {
    /// How many sentinels there are.
    pub count: usize,
    /// A master is dead for them after so long a silence.
    pub down_after: Duration,
    /// How long a failover may take.
    pub failover_timeout: Duration,
    /// Where data and logs go; none: to directories that end with the servers.
    pub directory: Option<PathBuf>,
    /// How servers and sentinels listen.
    pub listen: Options,
    /// What else is in the sentinels' files.
    pub more: String,
}

/// A master, its replica, and sentinels.
pub struct Sentinels {
    /// The master and the replica, in any order.
    pub servers: [Server; 2],
    /// The sentinels.
    pub sentinels: Vec<Server>,
    /// Who was the master when it was settled last.
    master: usize,
}

impl Default for SentinelOptions {
    /// Three sentinels so patient that no busy machine makes them take a master for dead.
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

    /// One sentinel, which watches the master there. So many have to agree that it is dead.
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

    /// One sentinel, with nothing in its file but [`Self::more`].
    pub async fn start_alone(&self, name: &str) -> Server {
        Server::start_with(self.options(name).of(Part::Sentinel(self.more.clone()))).await
    }
}

impl Sentinels {
    /// Starts all of them. The sentinels know what they need for a failover.
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

    /// The master, and its replica, by number.
    pub fn roles(&self) -> (usize, usize) {
        (self.master, 1 - self.master)
    }

    /// The master when it was settled last.
    pub fn master(&mut self) -> &mut Server {
        &mut self.servers[self.master]
    }

    /// Hosts and ports of the sentinels, as URLs have them.
    pub fn hosts(&self) -> String {
        self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect::<Vec<_>>().join(",")
    }

    /// `redis+sentinel://hosts/service`
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{SERVICE}", self.hosts())
    }

    /// Whether the master is who it was when it was settled last.
    pub async fn is_as_it_was(&mut self) -> bool {
        let before = self.master;
        self.settle().await;
        self.master == before
    }

    /// Waits until all sentinels name the same master, its replica has everything, and another failover is possible.
    pub async fn settle(&mut self) {
        until("sentinels and servers settle", async || self.settled().await.is_some()).await;
        self.master = self.settled().await.unwrap_or(self.master);
    }

    /// Waits until the sentinels name another master than before.
    pub async fn fails_over(&self) {
        until("the sentinels name another master", async || self.named(&self.sentinels[0]).await == Some(1 - self.master)).await;
    }

    /// Has them make the replica the master.
    pub async fn fail_over(&self) {
        let sentinel = &self.sentinels[0];
        // They refuse while they remember the last failover.
        until("the sentinels begin a failover", async || sentinel.try_command(&["SENTINEL", "FAILOVER", SERVICE]).await.is_ok()).await;
        self.fails_over().await;
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

    /// The server that a sentinel names.
    async fn named(&self, sentinel: &Server) -> Option<usize> {
        let said = sentinel.try_command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await.ok()?;
        let port: u16 = if said == Reply::Nil { return None } else { said.texts()[1].parse().ok()? };
        self.servers.iter().position(|server| server.address().port() == port)
    }
}
