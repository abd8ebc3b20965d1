//! Redis servers, as processes.

use std::{
    fs::{File, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Long enough for any machine; only a failing run waits it out.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `redis-server` with a directory of its own; it ends with this.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    directory: PathBuf,
    process: Option<Child>,
}

impl Redis {
    pub(crate) async fn start(directory: PathBuf) -> Self {
        std::fs::create_dir_all(&directory).expect("a directory");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let mut redis = Self { address, directory, process: None };
        redis.resume().await;
        redis
    }

    /// Starts the process again, with what was saved last.
    pub(crate) async fn resume(&mut self) {
        let log = log(self.directory.join("redis.log"));
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--port"]);
        command.arg(self.address.port().to_string()).arg("--dir").arg(&self.directory);
        let spawned = command.stdin(Stdio::null()).stdout(log).kill_on_drop(true).spawn();
        self.process = Some(spawned.expect("redis-server is installed: './justw setup' does that, or apt-get install redis-server"));
        let up = async {
            while TcpStream::connect(self.address).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("redis-server is up");
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
        self.try_command(command).await.expect("carried out")
    }

    async fn try_command(&self, command: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(format!("redis://{}", self.address))?;
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
    }

    /// Becomes a copy of that one, and stays so until it is promoted.
    pub(crate) async fn follow(&self, primary: &Self) {
        self.command(&["REPLICAOF", "127.0.0.1", &primary.address.port().to_string()]).await;
        let linked = async {
            while !self.info("replication").await.contains("master_link_status:up") {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, linked).await.expect("the replica is linked");
    }

    /// How many connections clients have to it, not counting the one that asks.
    pub(crate) async fn clients(&self) -> usize {
        let info = self.info("clients").await;
        let number = info.lines().find_map(|line| line.strip_prefix("connected_clients:")).and_then(|number| number.trim().parse().ok());
        number.unwrap_or(0usize).saturating_sub(1)
    }

    async fn info(&self, section: &str) -> String {
        redis::from_redis_value(self.command(&["INFO", section]).await).expect("text")
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        signal_to(self.process.as_ref(), signal);
    }
}

/// A signal to a process that runs.
pub(crate) fn signal_to(process: Option<&Child>, signal: rustix::process::Signal) {
    let id = process.and_then(Child::id).and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    rustix::process::kill_process(id.expect("it runs"), signal).expect("it takes signals");
}

/// A file that a process may append to.
pub(crate) fn log(path: PathBuf) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a file")
}
