//! Redis servers, as processes.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Long enough for any machine; only a failing run waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `redis-server` with a directory of its own; it ends with this.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    directory: PathBuf,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Redis {
    /// A server of data, with further options.
    pub(crate) async fn start(directory: PathBuf, more: &[&str]) -> Self {
        let options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--dir", "."];
        let port = free_port();
        let at = port.to_string();
        let arguments = [&options[..], more, &["--port", &at]].concat().into_iter().map(Into::into).collect();
        Self::start_as(directory, port, arguments).await
    }

    /// A sentinel; `settings` are for its own file.
    pub(crate) async fn start_sentinel(directory: PathBuf, settings: &str) -> Self {
        std::fs::create_dir_all(&directory).expect("a directory");
        let port = free_port();
        std::fs::write(directory.join("sentinel.conf"), format!("port {port}\n{settings}")).expect("a file");
        Self::start_as(directory, port, vec!["sentinel.conf".into(), "--sentinel".into()]).await
    }

    async fn start_as(directory: PathBuf, port: u16, arguments: Vec<String>) -> Self {
        std::fs::create_dir_all(&directory).expect("a directory");
        let mut redis = Self { address: (Ipv4Addr::LOCALHOST, port).into(), directory, arguments, process: None };
        redis.resume().await;
        redis
    }

    /// Starts the process again, with what was saved last.
    pub(crate) async fn resume(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(&self.arguments).current_dir(&self.directory);
        let spawned = command.stdin(Stdio::null()).stdout(log(&self.directory.join("redis.log"))).kill_on_drop(true).spawn();
        self.process = Some(spawned.expect("redis-server is installed: './justw setup' does that, or apt-get install redis-server"));
        until("redis-server is up", async || TcpStream::connect(self.address).await.is_ok()).await;
    }

    /// Ends the process at once.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.expect("it can be killed");
        }
    }

    /// Ends the process once everything is saved.
    pub(crate) async fn shut_down(&mut self) {
        // It closes the connection instead of answering.
        let _ = self.try_command(&["SHUTDOWN", "SAVE"]).await;
        if let Some(mut process) = self.process.take() {
            timeout(PATIENCE, process.wait()).await.expect("it ends").expect("it can be awaited");
        }
    }

    /// Forgets what was saved.
    pub(crate) fn wipe(&self) {
        // There may be nothing yet.
        let _ = std::fs::remove_file(self.directory.join("dump.rdb"));
    }

    pub(crate) async fn command(&self, command: &[&str]) -> redis::Value {
        self.try_command(command).await.unwrap_or_else(|error| panic!("{command:?} at {}: {error}", self.address))
    }

    pub(crate) async fn try_command(&self, command: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(format!("redis://{}", self.address))?;
        let patience = Some(PATIENCE);
        let config = redis::AsyncConnectionConfig::new().set_connection_timeout(patience).set_response_timeout(patience);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
    }

    /// Becomes a copy of that one, and stays so until it is promoted.
    pub(crate) async fn follow(&self, primary: &Self) {
        self.command(&["REPLICAOF", "127.0.0.1", &primary.address.port().to_string()]).await;
        until("the replica is linked", async || self.is_linked().await).await;
    }

    /// Whether it is a replica that has what its master has.
    pub(crate) async fn is_linked(&self) -> bool {
        let replication = self.replication().await;
        replication.contains("role:slave") && replication.contains("master_link_status:up")
    }

    /// Its part in replication, in words; nothing while it starts.
    pub(crate) async fn replication(&self) -> String {
        let said = self.try_command(&["INFO", "replication"]).await;
        said.and_then(|said| Ok(redis::from_redis_value(said)?)).unwrap_or_default()
    }

    /// From now on this replica gets nothing more. The server that it follows knows no such user.
    pub(crate) async fn fall_behind(&self) {
        for (setting, value) in [("masteruser", "nobody"), ("masterauth", "none")] {
            self.command(&["CONFIG", "SET", setting, value]).await;
        }
        self.command(&["CLIENT", "KILL", "TYPE", "master"]).await;
        until("the replica is cut off", async || self.replication().await.contains("master_link_status:down")).await;
    }

    /// It may follow others again.
    pub(crate) async fn catch_up(&self) {
        for setting in ["masteruser", "masterauth"] {
            self.command(&["CONFIG", "SET", setting, ""]).await;
        }
    }

    /// How many connections clients have to it, not counting the one that asks.
    pub(crate) async fn clients(&self) -> usize {
        let info: String = redis::from_redis_value(self.command(&["INFO", "clients"]).await).expect("text");
        let number = info.lines().find_map(|line| line.strip_prefix("connected_clients:")).and_then(|number| number.trim().parse().ok());
        number.unwrap_or(0usize).saturating_sub(1)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.process.as_ref(), signal);
    }
}

/// A signal to a process that runs.
pub(crate) fn signal_to(process: Option<&Child>, signal: Signal) {
    let id = process.and_then(Child::id).and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.expect("it runs"), signal).expect("it takes signals");
}

/// A file that a process may append to.
pub(crate) fn log(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a file")
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

/// Awaits what comes by itself.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}
