//! A master and its replica, and sentinels that watch them.

use super::server::{Server, installed};
use redis::Value;
use std::{fs, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// What the sentinels call the master.
pub(super) const SERVICE: &str = "main";

/// See the module. Everything ends with this.
pub(super) struct Watched {
    pub(super) master: Server,
    _replica: Server,
    pub(super) sentinels: Vec<Sentinel>,
    replica_port: u16,
}

/// A sentinel's process.
pub(super) struct Sentinel {
    port: u16,
    _process: Child,
    _directory: TempDir,
}

impl Watched {
    /// With so many sentinels, to whom the master is dead when it has been silent for so long. The replica has what the master has.
    pub(super) async fn start(sentinels: usize, patience: Duration) -> Self {
        let ports = [Server::free_port(), Server::free_port()];
        let [at, replica_at] = ports.map(|port| port.to_string());
        let shared = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];
        let master = Server::start_with(&[&["--port", &at], &shared[..]].concat()).await;
        let replica = Server::start_with(&[&["--port", &replica_at, "--replicaof", "127.0.0.1", &at], &shared[..]].concat()).await;
        eventually("the replica has everything", async || {
            let Value::BulkString(info) = replica.command(&["INFO", "replication"]).await else { panic!("no text") };
            String::from_utf8_lossy(&info).contains("master_link_status:up")
        })
        .await;
        let mut watched = Self { master, _replica: replica, sentinels: Vec::new(), replica_port: ports[1] };
        let more = format!("sentinel down-after-milliseconds {SERVICE} {}", patience.as_millis());
        for _ in 0..sentinels {
            watched.sentinels.push(Sentinel::start(ports[0], sentinels / 2 + 1, &more).await);
        }
        watched
    }

    pub(super) fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(Sentinel::host).collect();
        format!("redis+sentinel://{}/{SERVICE}", hosts.join(","))
    }

    pub(super) fn url_of_replica(&self) -> String {
        format!("redis://127.0.0.1:{}", self.replica_port)
    }

    /// Waits until the sentinels know what they need for a failover.
    pub(super) async fn settled(&self) {
        let others = self.sentinels.len().saturating_sub(1);
        for sentinel in &self.sentinels {
            eventually("the sentinel knows the replica and the other sentinels", async || {
                let master: std::collections::HashMap<String, String> =
                    redis::from_redis_value(sentinel.command(&["SENTINEL", "MASTER", SERVICE]).await).expect("a map");
                let count = |name: &str| master.get(name).and_then(|count| count.parse::<usize>().ok());
                count("num-slaves") == Some(1) && count("num-other-sentinels") == Some(others)
            })
            .await;
        }
    }
}

impl Sentinel {
    pub(super) async fn start(master: u16, quorum: usize, more: &str) -> Self {
        let (port, directory) = (Server::free_port(), tempfile::tempdir().expect("a directory"));
        let file = directory.path().join("sentinel.conf");
        let text = format!(
            "port {port}\ndir {}\nsentinel monitor {SERVICE} 127.0.0.1 {master} {quorum}\nsentinel failover-timeout {SERVICE} 3000\n{more}\n",
            directory.path().display()
        );
        fs::write(&file, text).expect("written");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdout(Stdio::null()).kill_on_drop(true);
        let process = installed(command.spawn());
        eventually("the sentinel is up", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        Self { port, _process: process, _directory: directory }
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Carries out a command.
    pub(super) async fn command(&self, command: &[&str]) -> Value {
        let client = redis::Client::open(format!("redis://{}", self.host())).expect("a good address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.expect("carried out")
    }
}

/// Awaits a condition that comes by itself.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = timeout(Duration::from_secs(30), async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}
