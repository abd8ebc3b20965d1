//! The answers about nodes and services.

use crate::json::or_default;
use serde::{Deserialize, Serialize};

/// One node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeBody {
    /// Its name.
    pub name: String,
    /// The time at which it started, in milliseconds since 1970.
    pub since: u64,
    /// Number of worker threads.
    pub workers: usize,
}

/// The nodes of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodesBody {
    /// All nodes.
    pub nodes: Vec<NodeBody>,
}

/// One instance of a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstanceBody {
    /// Its name.
    pub instance: String,
    /// Number of unanswered calls.
    pub in_flight: usize,
    /// Number of calls and events that the node may send to it now.
    pub credit: u32,
    /// Whether it is shutting down.
    pub draining: bool,
    /// State of the circuit breaker: `closed`, `open` or `half_open`.
    pub breaker: String,
}

/// One target of a webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetBody {
    /// Its URL without a query.
    pub url: String,
    /// Number of requests without a complete answer.
    pub in_flight: usize,
    /// State of the circuit breaker: `closed`, `open` or `half_open`.
    pub breaker: String,
}

/// One service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceBody {
    /// Its name.
    pub service: String,
    /// The way in which the gateway reaches it: `link` or `webhook`.
    pub reach: String,
    /// Number of calls that wait for an earlier call of their connection.
    pub waiting: usize,
    /// The instances that have a link to the node that answers.
    pub instances: Vec<InstanceBody>,
    /// The targets of a webhook. Their state is that of the node that answers.
    #[serde(default, deserialize_with = "or_default")]
    pub targets: Vec<TargetBody>,
}

/// The configured services.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServicesBody {
    /// The services, ordered by name.
    pub services: Vec<ServiceBody>,
}

/// The readiness of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyBody {
    /// Whether the node can serve requests.
    pub ready: bool,
    /// The reasons why the node cannot serve, or serves only some of the channels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}
