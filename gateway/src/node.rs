//! What the REST interface and the connections share: one gateway process.

use crate::{
    auth::{ApiKeys, Tokens},
    broker::{Broker, Readiness},
    cluster::Cluster,
    publish::Publisher,
    services::Services,
    session::Rules,
    telemetry::Metrics,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// One gateway process. Built once from its parts; shared by all threads.
pub struct Node {
    /// Unique in the cluster.
    pub name: Arc<str>,
    /// What is the same for all sessions.
    pub rules: Arc<Rules>,
    /// Publications, history, presence.
    pub broker: Arc<Broker>,
    /// The way into channels.
    pub publisher: Publisher,
    /// Backends that frontends may call.
    pub services: Services,
    /// All nodes, and the connections they hold.
    pub cluster: Cluster,
    /// Who frontends are.
    pub tokens: Tokens,
    /// Who services are.
    pub api_keys: ApiKeys,
    /// Entries of one presence answer at most.
    pub presence_limit: usize,
    /// How long it is remembered that a user's tokens were revoked.
    pub revocation_ttl: Duration,
    /// Bytes of one history answer at most.
    pub history_bytes: usize,
    /// Bounds of the REST interface.
    pub api: ApiLimits,
    /// Whether this process can serve.
    pub health: Health,
    /// What the process counts.
    pub metrics: Arc<Metrics>,
}

/// Bounds of the REST interface.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// Bytes of a request's body at most.
    pub body: usize,
    /// Publications of a batch at most.
    pub batch: usize,
    /// Publications of a page of history at most.
    pub history: usize,
    /// Channels of a page at most.
    pub channels: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { body: 1 << 20, batch: 1000, history: 1000, channels: 1000 }
    }
}

/// What the process says of itself.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
}

impl Health {
    /// From now on the node is not ready: it is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

impl Node {
    /// Why the node cannot serve now; empty: it can.
    pub fn unready(&self) -> Vec<String> {
        let draining = self.health.is_draining().then(|| "This node is shutting down.".to_owned());
        let broker = match self.broker.readiness() {
            Readiness::Ready => None,
            Readiness::NotReady(why) => Some(why.into()),
        };
        let cluster = self.cluster.trouble().map(String::from);
        draining.into_iter().chain(broker).chain(cluster).collect()
    }
}
