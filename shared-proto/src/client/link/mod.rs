//! The links of a service instance: one WebSocket to every node of the cluster, kept up for as long as the process lives.
//!
//! A [`Link`] connects to the addresses it is given and to all that the nodes name in `welcome.peers`. It hands calls and
//! events to a [`Service`], side by side up to its credit, and publishes through a [`Publisher`].

mod address;
mod calls;
mod outbox;
mod peer;
mod peers;
mod publisher;
mod router;
mod service;
mod session;
mod socket;
mod status;
#[cfg(test)]
mod tests;

use crate::client::rest::ConfigError;
use router::Router;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use publisher::{Publication, Publisher};
pub use service::{CallFailure, CallResult, Service};
pub use status::Counts;

/// Submissions that wait ahead of the outbox.
const SUBMISSIONS: usize = 64;
/// News from links that wait for the router.
const NEWS: usize = 256;

/// How a service instance is linked.
#[derive(Clone)]
pub struct Config {
    /// Where to begin: link addresses or base addresses (`ws://host:port`); at least one. Nodes named by others are added.
    pub urls: Vec<String>,
    /// Sent as bearer token.
    pub api_key: String,
    /// Name of the service.
    pub service: String,
    /// Name of this instance, unique within the service.
    pub instance: String,
    /// Calls and events that each node may have under way here.
    pub credit: u32,
    /// Lifecycle events that are wanted.
    pub events: Vec<String>,
    /// Largest frame in bytes that is read.
    pub message_size: usize,
    /// Publications that may be held; beyond it [`Publisher::publish`] waits.
    pub publish_queue: usize,
    /// For connection, handshake and welcome together.
    pub connect_timeout: Duration,
    /// The pause after the first failed attempt; it doubles from there.
    pub reconnect_first: Duration,
    /// The longest pause between attempts, which never end.
    pub reconnect_longest: Duration,
}

impl Config {
    /// The usual bounds for `service` at `urls`, under a random instance name.
    pub fn new(service: impl Into<String>, urls: Vec<String>, api_key: impl Into<String>) -> Self {
        let service = service.into();
        Self {
            instance: format!("{service}-{:08x}", rand::random::<u32>()),
            service,
            urls,
            api_key: api_key.into(),
            credit: 64,
            events: Vec::new(),
            message_size: 1024 * 1024,
            publish_queue: 4096,
            connect_timeout: Duration::from_secs(5),
            reconnect_first: Duration::from_millis(100),
            reconnect_longest: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("urls", &self.urls).field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// How far the links are on their way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// No new calls; publications still go out.
    Draining,
    Closed,
}

/// What the links are doing now.
#[derive(Debug, Default)]
struct Activity {
    /// Nodes with a welcomed link; a node has one link, by whichever address.
    nodes: BTreeSet<String>,
    /// Links over which a call may still come although a drain was asked for.
    undrained: usize,
    /// Calls and events under way.
    running: usize,
}

/// What all tasks of a [`Link`] share.
#[derive(Debug)]
struct Shared<S> {
    config: Config,
    service: S,
    counts: Arc<Counts>,
    activity: watch::Sender<Activity>,
    phase: watch::Receiver<Phase>,
}

/// The links of this instance. Dropping it closes them at once; [`Link::shutdown`] does it in order.
#[derive(Debug)]
pub struct Link {
    phase: watch::Sender<Phase>,
    activity: watch::Receiver<Activity>,
    idle: watch::Receiver<bool>,
    counts: Arc<Counts>,
    publisher: Publisher,
    tasks: JoinHandle<()>,
}

impl Link {
    /// Starts to link `service`; must be called within a tokio runtime. Nothing has to be reachable yet.
    pub fn start(mut config: Config, service: impl Service) -> Result<Self, ConfigError> {
        let urls = config.urls.iter().map(|url| address::link_url(url, &config.service)).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            return Err(ConfigError::NoUrl);
        }
        socket::bearer(&config.api_key)?;
        config.urls = urls;
        let (phase, phase_seen) = watch::channel(Phase::Running);
        let (activity, activity_seen) = watch::channel(Activity::default());
        let (idle, idle_seen) = watch::channel(true);
        let (submissions, submitted) = mpsc::channel(SUBMISSIONS);
        let (news, heard) = mpsc::channel(NEWS);
        let counts = Arc::new(Counts::default());
        let router = Router::new(&config, counts.clone(), idle).run(submitted, heard);
        let shared = Arc::new(Shared { config, service, counts: counts.clone(), activity, phase: phase_seen });
        let tasks = tokio::spawn(async move {
            tokio::join!(router, peers::keep_up(shared, news));
        });
        let publisher = Publisher::new(submissions);
        Ok(Self { phase, activity: activity_seen, idle: idle_seen, counts, publisher, tasks })
    }

    /// Publishes through these links.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Whether at least one node has welcomed this instance and the link stands.
    pub fn is_ready(&self) -> bool {
        !self.activity.borrow().nodes.is_empty()
    }

    /// Waits until [`Link::is_ready`].
    pub async fn ready(&self) {
        let mut activity = self.activity.clone();
        // The sender lives as long as the tasks; once they are gone nothing will be ready, and waiting is right.
        if activity.wait_for(|now| !now.nodes.is_empty()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A view on readiness and numbers for health checks, which may outlive this handle.
    pub fn monitor(&self) -> Monitor {
        Monitor { activity: self.activity.clone(), counts: self.counts.clone() }
    }

    /// Asks all nodes for no more calls and waits, at most `within`, until those under way are answered. Publishing goes on.
    ///
    /// Answers whether all were answered in time.
    pub async fn drain(&self, within: Duration) -> bool {
        self.phase.send_if_modified(|phase| {
            let before = *phase;
            *phase = before.max(Phase::Draining);
            before != *phase
        });
        let mut activity = self.activity.clone();
        timeout(within, activity.wait_for(|now| now.undrained == 0 && now.running == 0)).await.is_ok()
    }

    /// Drains, waits until all publications are acknowledged or given up, and closes the links; all at most `within`.
    ///
    /// Answers whether nothing was left undone.
    pub async fn shutdown(mut self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        let answered = self.drain(within).await;
        let mut idle = self.idle.clone();
        let published = tokio::time::timeout_at(deadline, idle.wait_for(|idle| *idle)).await.is_ok();
        self.phase.send_replace(Phase::Closed);
        let closed = timeout(session::CLOSE_TIMEOUT * 2, &mut self.tasks).await.is_ok();
        answered && published && closed
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

/// Readiness and numbers of a [`Link`].
#[derive(Debug, Clone)]
pub struct Monitor {
    activity: watch::Receiver<Activity>,
    counts: Arc<Counts>,
}

impl Monitor {
    /// Whether at least one link stands.
    pub fn is_ready(&self) -> bool {
        self.links() > 0
    }

    /// Links that stand now.
    pub fn links(&self) -> usize {
        self.activity.borrow().nodes.len()
    }

    /// Calls and events under way now.
    pub fn running(&self) -> usize {
        self.activity.borrow().running
    }

    /// Numbers since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
