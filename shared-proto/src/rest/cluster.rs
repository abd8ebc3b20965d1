//! The answers about nodes and services.

use crate::json::or_default;
use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// Whether it is shutting down, or an operator drains it.
    pub draining: bool,
    /// State of the circuit breaker: `closed`, `open` or `half_open`.
    pub breaker: String,
    /// Its calls of the last minute, those of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyBody>,
}

/// Calls of the last 50 to 60 seconds. Durations are rounded up by at most an eighth. A call without an answer counts with the time until its
/// deadline.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LatencyBody {
    /// Number of calls.
    pub calls: u64,
    /// Half of the calls took at most this long, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 calls took at most this long, in milliseconds.
    pub p99_ms: f64,
}

/// One target of a webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetBody {
    /// Its URL without a query.
    pub url: String,
    /// Number of requests without a complete answer.
    pub in_flight: usize,
    /// Whether an operator drains it.
    #[serde(default, deserialize_with = "or_default")]
    pub draining: bool,
    /// State of the circuit breaker: `closed`, `open` or `half_open`.
    pub breaker: String,
    /// Its requests of the last minute, those of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyBody>,
}

/// One service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceBody {
    /// Its name.
    pub service: String,
    /// The way in which the gateway reaches it: `link`, `webhook` or `queue`.
    pub reach: String,
    /// How events reach it: `direct` or `queue`.
    #[serde(default, deserialize_with = "or_default")]
    pub events: String,
    /// With a queue: who takes events out of it. `reach`: the gateways; `stream`: a program of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver: Option<String>,
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

/// Body of a request to drain an instance or a target, or to use it again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// Whether it is drained from now on.
    pub draining: bool,
}

/// Response with a number of nodes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AffectedNodesBody {
    /// Number of nodes on which the order counts.
    pub nodes: usize,
}

/// The readiness of a node or a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyBody {
    /// Whether it can serve requests.
    pub ready: bool,
    /// The reasons why it cannot serve, or, a node, serves only some of the channels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl ReadyBody {
    /// It can serve.
    pub const fn ready() -> Self {
        Self { ready: true, reasons: Vec::new() }
    }

    /// It cannot serve, for this reason.
    pub fn not_ready(reason: impl Into<String>) -> Self {
        Self { ready: false, reasons: vec![reason.into()] }
    }
}

impl fmt::Display for ReadyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_ready, reasons) = (self.ready, self.reasons.join("; "));
        match (is_ready, reasons.is_empty()) {
            (true, true) => f.write_str("ready"),
            (true, false) => write!(f, "ready, with problems: {reasons}"),
            (false, true) => f.write_str("not ready"),
            (false, false) => write!(f, "not ready: {reasons}"),
        }
    }
}
