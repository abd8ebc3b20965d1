//! A real Redis, for one test.

use std::{path::PathBuf, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// The process that was started.
pub(super) fn installed<T>(spawned: std::io::Result<T>) -> T {
    spawned.expect("redis-server is installed: './justw setup' does that, or apt-get install redis-server")
}

/// A `redis-server` with a socket in a directory of its own; both end with this.
pub(super) struct Server {
    process: Option<Child>,
    directory: TempDir,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(super) async fn start_with(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = Self { process: None, directory };
        server.resume(options).await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Ends the process at once, and what it held with it.
    pub(super) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.expect("it can be killed");
        }
    }

    /// Starts the process again, with further options.
    pub(super) async fn resume(&mut self, options: &[&str]) {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"]).arg(self.socket());
        command.arg("--dir").arg(self.directory.path()).args(options);
        let spawned = command.stdout(Stdio::null()).kill_on_drop(true).spawn();
        self.process = Some(installed(spawned));
        let up = async {
            while UnixStream::connect(self.socket()).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), up).await.expect("redis-server is up: is its port taken?");
    }

    /// A connection to the process that runs now.
    pub(super) async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a good address");
        client.get_multiplexed_async_connection().await.expect("it answers")
    }

    /// From now on the other one's address leads here. Connections to the other one stay as they are.
    pub(super) fn take_over(&self, other: &Self) {
        std::fs::rename(self.socket(), other.socket()).expect("both are there");
    }

    /// Carries out a command.
    pub(super) async fn command(&self, command: &[&str]) -> redis::Value {
        let mut connection = self.connection().await;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.expect("carried out")
    }

    /// Makes the process stand still.
    pub(super) fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.process.as_ref().and_then(Child::id).and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        rustix::process::kill_process(id.expect("it runs"), signal).expect("it takes signals");
    }

    /// A port that nothing listens on.
    pub(super) fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("bound").port()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }
}
