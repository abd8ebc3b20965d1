//! One server.

use crate::{
    login::Login,
    resp::connection::{CommandError, Connection},
    resp::reply::Reply,
    servers::options::{Options, Part, Ports},
    servers::process::Process,
    wait::PATIENCE,
};
use rustix::process::Signal;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Ports that are tried, one after the other: any may be taken by the time that the process listens.
const ATTEMPTS: u32 = 5;

/// One process of `redis-server`, and its directory. Both end with this.
pub struct Server {
    options: Options,
    ports: Ports,
    process: Option<Process>,
    /// Holds the socket, whose path must not be long, and what has no other place.
    scratch: TempDir,
}

/// How a start went.
enum Start {
    Up,
    /// The process ended: one of its ports is taken.
    Taken,
}

impl Server {
    /// Starts a server that listens at a Unix socket only.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a server, and waits until it answers.
    pub async fn start_with(options: Options) -> Self {
        let scratch = tempfile::tempdir().expect("a directory");
        let mut server = Self { options, ports: Ports::default(), process: None, scratch };
        fs::create_dir_all(server.directory()).expect("a directory");
        for _ in 0..ATTEMPTS {
            server.ports = server.options.ports();
            if let Start::Up = server.launch().await {
                return server;
            }
        }
        panic!("no port was free for redis-server:\n{}", server.log())
    }

    /// Starts the process again, with what was saved last, at the same places.
    pub async fn resume(&mut self) {
        assert!(matches!(self.launch().await, Start::Up), "redis-server ended at once:\n{}", self.log());
    }

    /// The same, with these options in place of those of before.
    pub async fn resume_with(&mut self, more: &[&str]) {
        self.options.more.clear();
        self.options = std::mem::take(&mut self.options).with(more);
        self.resume().await;
    }

    async fn launch(&mut self) -> Start {
        let settings = self.options.settings(self.ports, self.directory(), &self.socket());
        let arguments = match &self.options.part {
            Part::Sentinel(more) => {
                let lines: Vec<_> = settings.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
                fs::write(self.directory().join("sentinel.conf"), lines.concat() + more).expect("written");
                vec!["sentinel.conf".into(), "--sentinel".into()]
            }
            Part::Data | Part::Member => settings.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]).collect(),
        };
        let arguments = [arguments, self.options.more.clone()].concat();
        let mut process = Process::start(&self.options.launcher, &arguments, self.directory(), &self.log_file());
        let began = Instant::now();
        while !self.answers().await {
            if process.has_ended() {
                assert!(self.log().contains("in use"), "redis-server ended at once:\n{}", self.log());
                return Start::Taken;
            }
            assert!(began.elapsed() < PATIENCE, "redis-server does not answer:\n{}", self.log());
            sleep(Duration::from_millis(5)).await;
        }
        self.process = Some(process);
        Start::Up
    }

    async fn answers(&self) -> bool {
        match self.try_command(&["PING"]).await {
            Ok(_) => true,
            Err(CommandError::Refused(why)) => !why.starts_with("LOADING"),
            Err(CommandError::Broken(_)) => false,
        }
    }

    /// Ends the process at once, and what it held in memory with it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends the process once everything is saved.
    pub async fn shut_down(&mut self) {
        // It closes the connection instead of answering.
        let _ = self.try_command(&["SHUTDOWN", "SAVE"]).await;
        if let Some(process) = self.process.take() {
            process.end(PATIENCE).await;
        }
    }

    /// Forgets what was saved.
    pub fn wipe(&self) {
        // There may be nothing yet.
        let _ = fs::remove_file(self.directory().join("dump.rdb"));
    }

    /// Sends a signal to the process, which has to run.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// The id of the process, which has to run.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Carries a command out, over a connection of its own. Panics if it is refused.
    pub async fn command(&self, words: &[&str]) -> Reply {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Carries a command out, over a connection of its own.
    pub async fn try_command(&self, words: &[&str]) -> Result<Reply, CommandError> {
        Connection::open(&self.socket()).await?.command(words).await
    }

    /// A connection to the process that runs now.
    pub async fn connection(&self) -> Connection {
        Connection::open(&self.socket()).await.expect("it answers")
    }

    /// What `INFO` says in a section; nothing while the server does not answer.
    pub async fn info(&self, section: &str) -> String {
        self.try_command(&["INFO", section]).await.map(Reply::text).unwrap_or_default()
    }

    /// How many connections clients have to it, not counting the one that asks.
    pub async fn clients(&self) -> usize {
        self.connection().await.others().await
    }

    /// Waits until no client is connected.
    pub async fn left_alone(&self) {
        self.connection().await.left_alone().await;
    }

    /// From now on the socket of the other one leads here. Its connections stay as they are.
    pub fn take_over(&self, other: &Self) {
        fs::rename(self.socket(), other.socket()).expect("both are there");
    }

    /// `redis+unix://path`, of its socket.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The same for a user.
    pub fn url_of(&self, login: &Login) -> String {
        self.url() + &login.of_socket()
    }

    /// Host and port; those of TLS, if it has such. It was started with a port.
    pub fn address(&self) -> SocketAddr {
        let port = if self.options.uses_tls() { self.ports.tls } else { self.ports.plain };
        assert!(port != 0, "this server has no port: start it with Options::with_port");
        (self.options.host(), port).into()
    }

    pub(crate) fn bus(&self) -> u16 {
        self.ports.bus
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("redis.sock")
    }

    fn directory(&self) -> &Path {
        self.options.directory.as_deref().unwrap_or(self.scratch.path())
    }

    fn log_file(&self) -> PathBuf {
        self.directory().join("redis.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}
