//! How the broker works with Redis.

use super::servers::address::Address;
use std::{sync::Arc, time::Duration};

/// How the broker works with Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where Redis is.
    pub address: Address,
    /// Ahead of all keys, so that several systems can share a server.
    pub prefix: String,
    /// This node's name, unique in the cluster.
    pub node: Arc<str>,
    /// Connections for publishes, and as many for reads.
    pub lanes: usize,
    /// Commands that wait for each of them.
    pub queue: usize,
    /// Commands that are sent together at most.
    pub batch: usize,
    /// For a command, from when it came to its answer.
    pub deadline: Duration,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For an answer of the server; without one the connection counts as broken.
    pub response_timeout: Duration,
    /// For how long a node claims what it relies on.
    pub lease: Duration,
    /// How long a channel stays subscribed that nobody needs any more.
    pub linger: Duration,
    /// Between canaries.
    pub canary: Duration,
    /// For a round of the audit through all channels.
    pub audit: Duration,
    /// How long idempotency keys are remembered.
    pub idempotency_ttl: Duration,
    /// How long epoch and offset of an idle channel are remembered, unless its history's `ttl` is longer.
    pub meta_ttl: Duration,
    /// Stored subscriptions of one user.
    pub subscriptions_per_user: usize,
}
