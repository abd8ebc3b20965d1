//! A gateway as a separate process.

use futures_util::future::join_all;
use redis_testing::{AddressMap, Proxy, Signal};
use rustix::process::{Pid, kill_process};
use std::{
    fs::OpenOptions,
    io::{Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// The API key of all nodes.
pub(crate) const KEY: &str = "torture";

/// A gateway. Proxies carry its connections to the store and those of its clients.
pub(crate) struct Node {
    pub(crate) name: String,
    /// One proxy to each server of the store.
    pub(crate) proxies: Vec<Proxy>,
    /// The proxy of the clients.
    pub(crate) public: Proxy,
    /// The address of the internal listener, which changes with every start.
    internal: Mutex<SocketAddr>,
    process: tokio::sync::Mutex<Option<Child>>,
    /// Locked by a fault of the process, so that such faults happen one after the other.
    pub(crate) fault_lock: tokio::sync::Mutex<()>,
    settings: PathBuf,
    log: PathBuf,
    /// The length of the log before this run.
    log_start: u64,
}

impl Node {
    /// Creates a node without starting its process.
    pub(crate) async fn new(
        name: String,
        store: &[SocketAddr],
        directory: PathBuf,
        settings: impl FnOnce(&[SocketAddr]) -> String,
    ) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let (proxies, public) = (join_all(store.iter().map(|server| Proxy::start(*server))).await, Proxy::start(nowhere).await);
        let shown: Vec<_> = proxies.iter().map(Proxy::address).collect();
        if proxies.len() > 1 {
            let addresses = Arc::new(AddressMap::new(store.iter().copied().zip(shown.iter().copied())));
            for proxy in &proxies {
                proxy.rewrite(addresses.clone());
            }
        }
        let (file, log) = (directory.join(format!("{name}.toml")), directory.join(format!("{name}.log")));
        std::fs::write(&file, settings(&shown)).expect("a file");
        Self {
            name,
            proxies,
            public,
            internal: Mutex::new(nowhere),
            process: tokio::sync::Mutex::default(),
            fault_lock: tokio::sync::Mutex::default(),
            settings: file,
            log_start: std::fs::metadata(&log).map_or(0, |log| log.len()),
            log,
        }
    }

    /// Starts the process, and waits until it listens.
    pub(crate) async fn start(&self) {
        let mut output = OpenOptions::new().create(true).append(true).open(&self.log).expect("a file");
        let from = output.seek(SeekFrom::End(0)).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY__")) {
            command.env_remove(name);
        }
        command.arg("--config").arg(&self.settings).stdin(Stdio::null());
        command.stderr(output.try_clone().expect("a file")).stdout(output).kill_on_drop(true);
        let child = command.spawn().expect("the gateway starts");
        *self.process.lock().await = Some(child);
        let listening = async {
            loop {
                if let Some((public, internal)) = self.addresses(from) {
                    self.public.point_to(public);
                    *self.internal.lock().expect("no panic") = internal;
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let started = timeout(TIMEOUT, listening).await.is_ok();
        assert!(started, "{} does not start:\n{}", self.name, std::fs::read_to_string(&self.log).unwrap_or_default());
    }

    fn log_from(&self, start: u64) -> Option<String> {
        let mut file = std::fs::File::open(&self.log).ok()?;
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// The lines at ERROR that its processes logged. No fault may cause one.
    pub(crate) fn error_lines(&self) -> Vec<String> {
        let log = self.log_from(self.log_start).expect("it was started");
        log.lines().filter(|line| line.contains(r#""level":"ERROR""#)).map(str::to_owned).collect()
    }

    /// The addresses that the current process has logged.
    fn addresses(&self, from: u64) -> Option<(SocketAddr, SocketAddr)> {
        let text = self.log_from(from)?;
        let line = text.lines().find(|line| line.contains("\"ready\""))?;
        let address = |name: &str| line.split_once(&format!("\"{name}\":\""))?.1.split_once('"')?.0.parse().ok();
        Some((address("public")?, address("internal")?))
    }

    pub(crate) fn rest(&self, path: &str) -> String {
        format!("http://{}{path}", self.internal.lock().expect("no panic"))
    }

    pub(crate) async fn kill(&self) {
        if let Some(mut process) = self.process.lock().await.take() {
            process.kill().await.expect("it can be killed");
        }
    }

    /// Stops the process in order, as an operator does.
    pub(crate) async fn drain(&self) {
        let mut process = self.process.lock().await;
        signal_to(process.as_ref(), Signal::TERM);
        if let Some(mut process) = process.take() {
            timeout(TIMEOUT, process.wait()).await.expect("it drains").expect("it can be awaited");
        }
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        signal_to(self.process.lock().await.as_ref(), signal);
    }

    /// Whether the process has ended unexpectedly.
    pub(crate) async fn has_died(&self) -> bool {
        matches!(self.process.lock().await.as_mut().map(Child::try_wait), Some(Ok(Some(_))))
    }
}

fn signal_to(process: Option<&Child>, signal: Signal) {
    let id = process.and_then(Child::id).and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.expect("it runs"), signal).expect("it takes signals");
}
