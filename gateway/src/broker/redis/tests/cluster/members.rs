//! A real Redis Cluster, for one test or several at a time.

use super::super::server::{Server, installed};
use crate::broker::redis::schema::slot::{SLOTS, Slot};
use redis::aio::MultiplexedConnection;
use std::{
    process::{Child, Command, Stdio},
    sync::{Arc, Weak},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

/// Processes of `redis-server` that know each other; they end with this. Each has one part of all slots, or is a replica of one that has.
pub(super) struct Cluster {
    members: Vec<Member>,
    masters: usize,
}

struct Member {
    process: Child,
    directory: TempDir,
    port: u16,
    bus: u16,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

impl Member {
    fn start(directory: TempDir, port: u16, bus: u16) -> Self {
        let cluster = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--cluster-require-full-coverage",
            "no",
            "--cluster-allow-replica-migration",
            "no",
        ];
        let bus_port = bus.to_string();
        Self::start_with(&[&cluster[..], &["--cluster-port", &bus_port]].concat(), directory, port, bus)
    }

    fn start_with(options: &[&str], directory: TempDir, port: u16, bus: u16) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"]);
        command.args(options).args(["--port", &port.to_string(), "--dir"]).arg(directory.path());
        let spawned = command.stdout(Stdio::null()).spawn();
        let process = installed(spawned);
        Self { process, directory, port, bus }
    }

    fn end(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The cluster that tests share which break nothing. It lives as long as any of them uses it.
static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

/// A server that belongs to no cluster, and its port.
pub(super) fn alone() -> (impl Drop, u16) {
    let member = Member::start_with(&[], tempfile::tempdir().expect("a directory"), Server::free_port(), 0);
    let port = member.port;
    (member, port)
}

impl Cluster {
    pub(super) async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start(3, 0).await);
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// So many masters, with so many replicas each.
    pub(super) async fn start(masters: usize, replicas: usize) -> Self {
        let mut cluster = Self { members: Vec::new(), masters };
        for _ in 0..masters * (1 + replicas) {
            cluster.add();
        }
        let part = SLOTS / masters as u16;
        for master in 0..masters {
            let first = part * master as u16;
            let last = if master + 1 == masters { SLOTS - 1 } else { first + part - 1 };
            cluster.command(master, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
        }
        for member in 0..cluster.members.len() {
            cluster.command(member, &["CLUSTER", "SET-CONFIG-EPOCH", &(member + 1).to_string()]).await;
            cluster.introduce(member).await;
        }
        cluster.await_info("cluster_state:ok").await;
        for replica in masters..cluster.members.len() {
            let master = cluster.id(replica % masters).await;
            cluster.command(replica, &["CLUSTER", "REPLICATE", &master]).await;
        }
        for replica in masters..cluster.members.len() {
            cluster.await_answer(replica, &["INFO", "replication"], "master_link_status:up").await;
        }
        cluster
    }

    /// Another member, which nobody knows yet. Answers its number.
    fn add(&mut self) -> usize {
        self.members.push(Member::start(tempfile::tempdir().expect("a directory"), Server::free_port(), Server::free_port()));
        self.members.len() - 1
    }

    /// A further master without slots joins.
    pub(super) async fn join(&mut self) -> usize {
        let member = self.add();
        self.introduce(member).await;
        let known = format!("cluster_known_nodes:{}", self.members.len());
        self.await_info(&known).await;
        self.await_info("cluster_state:ok").await;
        member
    }

    async fn introduce(&self, member: usize) {
        let Member { port, bus, .. } = &self.members[member];
        if member > 0 {
            self.command(0, &["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus.to_string()]).await;
        }
    }

    pub(super) fn url(&self) -> String {
        let hosts: Vec<_> = (0..self.masters).map(|master| self.address(master)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    pub(super) fn address(&self, member: usize) -> String {
        format!("127.0.0.1:{}", self.members[member].port)
    }

    /// The master that had a slot when the cluster started.
    pub(super) fn first_owner(&self, slot: Slot) -> usize {
        usize::from(slot.0 / (SLOTS / self.masters as u16)).min(self.masters - 1)
    }

    async fn connection(&self, member: usize) -> MultiplexedConnection {
        let client = redis::Client::open(format!("redis://{}", self.address(member))).expect("a good address");
        let connected = async {
            loop {
                match client.get_multiplexed_async_connection().await {
                    Ok(connection) => return connection,
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(Duration::from_secs(10), connected).await.expect("redis-server is up")
    }

    pub(super) async fn command(&self, member: usize, command: &[&str]) -> redis::Value {
        let mut connection = self.connection(member).await;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.expect("carried out")
    }

    async fn text(&self, member: usize, command: &[&str]) -> String {
        redis::from_redis_value(self.command(member, command).await).expect("a text")
    }

    async fn id(&self, member: usize) -> String {
        self.text(member, &["CLUSTER", "MYID"]).await
    }

    /// Until all members say so.
    async fn await_info(&self, text: &str) {
        for member in 0..self.members.len() {
            self.await_answer(member, &["CLUSTER", "INFO"], text).await;
        }
    }

    async fn await_answer(&self, member: usize, command: &[&str], text: &str) {
        let said = async {
            while !self.text(member, command).await.contains(text) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(Duration::from_secs(20), said).await.is_ok(), "{command:?} tells {text}");
    }

    /// Gives a slot to another master, key by key. `halfway` comes between the announcement and the first key.
    pub(super) async fn move_slot(&self, slot: Slot, from: usize, to: usize, halfway: impl Future) {
        let (number, target) = (slot.0.to_string(), self.id(to).await);
        self.command(to, &["CLUSTER", "SETSLOT", &number, "IMPORTING", &self.id(from).await]).await;
        self.command(from, &["CLUSTER", "SETSLOT", &number, "MIGRATING", &target]).await;
        halfway.await;
        let port = self.members[to].port.to_string();
        loop {
            let keys = self.command(from, &["CLUSTER", "GETKEYSINSLOT", &number, "100"]).await;
            let keys: Vec<String> = redis::from_redis_value(keys).expect("names");
            if keys.is_empty() {
                break;
            }
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            self.command(from, &migrate).await;
        }
        for member in [to, from] {
            self.command(member, &["CLUSTER", "SETSLOT", &number, "NODE", &target]).await;
        }
    }

    /// Until a replica has what its master has now.
    pub(super) async fn await_replica(&self, replica: usize, master: usize) {
        let all = self.replicated(master).await;
        let behind = async {
            while self.replicated(replica).await < all {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), behind).await.expect("it keeps up");
    }

    async fn replicated(&self, member: usize) -> u64 {
        let said = self.text(member, &["INFO", "replication"]).await;
        let offset = said.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
        offset.and_then(|offset| offset.trim().parse().ok()).expect("it says so")
    }

    /// Lets a replica take over from its master, which waits until it has everything. If that takes too long the two give it up, and are told again.
    pub(super) async fn fail_over(&self, replica: usize) {
        let over = async {
            loop {
                self.command(replica, &["CLUSTER", "FAILOVER"]).await;
                for _ in 0..300 {
                    if self.text(replica, &["INFO", "replication"]).await.contains("role:master") {
                        return;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            }
        };
        timeout(Duration::from_secs(50), over).await.expect("it takes over");
    }

    /// Ends a process at once.
    pub(super) fn kill(&mut self, member: usize) {
        self.members[member].end();
    }

    /// Starts it again, as the member that it was.
    pub(super) fn resume(&mut self, member: usize) {
        let old = self.members.remove(member);
        let (port, bus) = (old.port, old.bus);
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::copy(old.directory.path().join("nodes.conf"), directory.path().join("nodes.conf")).expect("it was a member");
        drop(old);
        self.members.insert(member, Member::start(directory, port, bus));
    }
}
