//! One server: its process, its files, and commands to it.

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

/// How often a start is tried with new ports. Another process may take a port before the server listens on it.
const ATTEMPTS: u32 = 5;

/// One process of `redis-server`, and its temporary directory. When this value is dropped, the process ends and the directory is deleted.
pub struct Server {
    options: Options,
    ports: Ports,
    process: Option<Process>,
    /// The temporary directory. It contains the socket, whose path must be short, and data and log if the options name no directory.
    scratch: TempDir,
}

/// The result of a start.
enum Start {
    /// The server answers.
    Up,
    /// The process ended, because another process uses one of its ports.
    Taken,
}

impl Server {
    /// Starts a server that listens on a Unix socket only.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a server with these options, and waits until it answers.
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

    /// Starts the process again, on the same ports and socket, with the data that was last saved.
    pub async fn resume(&mut self) {
        assert!(matches!(self.launch().await, Start::Up), "redis-server ended at once:\n{}", self.log());
    }

    /// As [`Self::resume`], but `more` replaces all words that [`Options::with`] added.
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

    /// Kills the process. Data that is not saved is lost.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Saves all data and ends the process.
    pub async fn shut_down(&mut self) {
        // The server closes the connection without an answer.
        let _ = self.try_command(&["SHUTDOWN", "SAVE"]).await;
        if let Some(process) = self.process.take() {
            process.end(PATIENCE).await;
        }
    }

    /// Deletes the saved data.
    pub fn wipe(&self) {
        // The file may not exist.
        let _ = fs::remove_file(self.directory().join("dump.rdb"));
    }

    /// Sends a signal to the process. Panics if no process runs.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("the process runs").signal(signal);
    }

    /// The id of the process. Panics if no process runs.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the process runs").id()
    }

    /// Runs a command on a new connection. Panics if it fails.
    pub async fn command(&self, words: &[&str]) -> Reply {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Runs a command on a new connection.
    pub async fn try_command(&self, words: &[&str]) -> Result<Reply, CommandError> {
        Connection::open(&self.socket()).await?.command(words).await
    }

    /// Opens a connection to the server.
    pub async fn connection(&self) -> Connection {
        Connection::open(&self.socket()).await.expect("the server runs")
    }

    /// A section of the answer to `INFO`. Empty if the server does not answer.
    pub async fn info(&self, section: &str) -> String {
        self.try_command(&["INFO", section]).await.map(Reply::text).unwrap_or_default()
    }

    /// The number of clients that are connected to the server, without the connection of this query.
    pub async fn clients(&self) -> usize {
        self.connection().await.others().await
    }

    /// Waits until no other client is connected.
    pub async fn left_alone(&self) {
        self.connection().await.left_alone().await;
    }

    /// Moves this server's socket to the path of the other server's socket. From then on, new connections to that path reach this server.
    /// Open connections of the other server stay open.
    pub fn take_over(&self, other: &Self) {
        fs::rename(self.socket(), other.socket()).expect("both sockets exist");
    }

    /// The gateway's URL of the server's socket: `redis+unix://path`.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The URL with user and password.
    pub fn url_of(&self, login: &Login) -> String {
        self.url() + &login.of_socket()
    }

    /// Host and port: the TLS port if there is one, otherwise the plain port. Panics if the server has no port.
    pub fn address(&self) -> SocketAddr {
        let port = if self.options.uses_tls() { self.ports.tls } else { self.ports.plain };
        assert!(port != 0, "this server has no port: start it with Options::with_port");
        (self.options.host(), port).into()
    }

    pub(crate) fn bus(&self) -> u16 {
        self.ports.bus
    }

    /// The path of the server's socket.
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
