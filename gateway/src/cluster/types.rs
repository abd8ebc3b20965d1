//! The types of the cluster's interface.

use crate::broker::RegistryKey;
use gateway_core::model::UserId;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// One node, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// Its name.
    pub name: Arc<str>,
    /// When it started, in milliseconds since 1970.
    pub since_ms: u64,
    /// Number of worker threads.
    pub workers: usize,
    /// Address for frontends, as `http://host:port`; empty if the node does not publish it.
    pub public: Box<str>,
}

/// What a node publishes about itself.
#[derive(Clone, Debug)]
pub struct NodeDescription {
    /// Its name, unique in the cluster.
    pub name: Arc<str>,
    /// Address for services, as `ws://host:port`.
    pub link: Box<str>,
    /// Address for frontends, as `http://host:port`.
    pub public: Box<str>,
    /// Settings that must be equal on all nodes, by key.
    pub shared: BTreeMap<String, String>,
}

/// A live node, and the services whose queues it can deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeServices {
    /// The name of the node.
    pub node: Box<str>,
    /// The names of the services.
    pub services: BTreeSet<Box<str>>,
}

/// Periods of the cluster's background work.
#[derive(Clone, Copy, Debug)]
pub struct ClusterTimings {
    /// A node that does not renew its lease for this time is dead.
    pub lease: Duration,
    /// Time between two sweeps of all presence entries; one node does each sweep.
    pub sweep: Duration,
    /// How long a channel has to be vacant before its end is announced.
    pub linger: Duration,
}

/// A part of a service that operators can drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainPart {
    /// The instance with this name.
    Instance(Box<str>),
    /// The target with this name: its URL without a query, and its number among the targets whose URLs look alike. Its place would not do: the settings
    /// of nodes may list different targets.
    Target(Box<str>),
}

/// What a node does about a part of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainAction {
    /// It changes nothing and answers whether it has the part: the target, a link of the instance, or an order to drain the instance.
    Find,
    /// It drains the part. An instance without a link is drained when it opens one.
    Drain,
    /// It uses the part again.
    Undrain,
}

/// An operator drains a part of a service, or ends that. A drained part gets no new calls and events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainOrder {
    /// Name of the service.
    pub service: Box<str>,
    /// The part.
    pub part: DrainPart,
    /// What to do.
    pub action: DrainAction,
}

/// An order of another node, and where this node answers whether the order counts here.
pub type ReceivedDrainOrder = (DrainOrder, oneshot::Sender<bool>);

/// What ended with its node, and services do not know yet.
#[derive(Debug)]
pub struct DeadNodeEntries {
    /// The dead node and its generation, as one word.
    pub holder: String,
    /// Connections and subscriptions, each with its user.
    pub entries: Vec<(RegistryKey, UserId)>,
    /// Time since the node was found dead.
    pub waited: Duration,
    /// Receives the entries that need no further attempt, and has room for all of them. The others are offered again once all senders are gone.
    pub done: mpsc::Sender<RegistryKey>,
}
