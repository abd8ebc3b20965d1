//! The configuration of the broker.

use super::servers::address::Address;
use std::{sync::Arc, time::Duration};

/// The configuration of the broker.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// The address of Redis.
    pub address: Address,
    /// The start of all keys, so that several systems can share a server.
    pub prefix: String,
    /// The name of this node, unique in the cluster.
    pub node: Arc<str>,
    /// Number of lanes for publishes, and of lanes for reads.
    pub lanes: usize,
    /// Maximum of commands that wait in each lane.
    pub queue: usize,
    /// Maximum of commands in a batch.
    pub batch: usize,
    /// Maximum time from the call of a command to its answer.
    pub deadline: Duration,
    /// Maximum time to establish a connection.
    pub connect_timeout: Duration,
    /// Maximum time for an answer. After it the connection counts as broken.
    pub response_timeout: Duration,
    /// Lifetime of the leases, locks and assignments of a node.
    pub lease: Duration,
    /// How long a channel stays subscribed after the last worker has left it.
    pub linger: Duration,
    /// Time between two canaries.
    pub canary: Duration,
    /// Duration of a round of the audit through all channels.
    pub audit: Duration,
    /// Lifetime of idempotency keys.
    pub idempotency_ttl: Duration,
    /// Lifetime of epoch and offset of an idle channel, unless the `ttl` of its history is longer.
    pub position_ttl: Duration,
    /// Maximum of stored subscriptions of a user.
    pub subscriptions_per_user: usize,
}
