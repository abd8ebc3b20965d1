//! What the cluster and its parts share: descriptions of nodes, times, and the connections of dead nodes.

use gateway_core::model::{ConnectionId, UserId};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// One node as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// Its name.
    pub name: Arc<str>,
    /// Milliseconds since 1970 when it started.
    pub since_ms: u64,
    /// Worker threads.
    pub workers: usize,
    /// Where frontends reach it, as `http://host:port`; empty: it does not say.
    pub public: Box<str>,
}

/// What a node tells the others of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name, unique in the cluster.
    pub name: Arc<str>,
    /// Where services reach it, as `ws://host:port`.
    pub link: Box<str>,
    /// Where frontends reach it, as `http://host:port`.
    pub public: Box<str>,
    /// Settings that have to be the same on all nodes, by key.
    pub shared: BTreeMap<String, String>,
}

/// How long nodes wait for each other.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Who is silent for so long is dead.
    pub lease: Duration,
    /// Between two rounds through everybody who is present anywhere, of all nodes together.
    pub sweep: Duration,
}

/// Connections that ended with their node, and of whose end services have not heard.
#[derive(Debug)]
pub struct Bereft {
    /// The node and its generation, as one word.
    pub holder: String,
    /// Each with its user.
    pub connections: Vec<(ConnectionId, UserId)>,
    /// How long they have waited already. They come again for as long as they are not done with.
    pub waited: Duration,
    /// Those of them that are done with.
    pub done: oneshot::Sender<Vec<ConnectionId>>,
}
