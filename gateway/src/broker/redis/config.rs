//! The configuration of the Redis broker.

use super::{queues::config::RedisQueuesConfig, servers::address::Address};
use std::{sync::Arc, time::Duration};

/// The configuration of the broker.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// The address of Redis.
    pub address: Address,
    /// The prefix of all keys, so that several systems can share a server.
    pub prefix: String,
    /// The name of this node, unique in the cluster.
    pub node: Arc<str>,
    /// Number of lanes for publishes. The same number is used for reads.
    pub lanes: usize,
    /// Largest number of commands that wait in each lane.
    pub queue_commands: usize,
    /// Largest number of commands that are sent together.
    pub batch_commands: usize,
    /// Longest time for a command, from its arrival to its answer.
    pub deadline: Duration,
    /// Longest time to open a connection.
    pub connect_timeout: Duration,
    /// Longest time for an answer. Without one, the connection counts as broken.
    pub response_timeout: Duration,
    /// Lifetime of the leases, locks and assignments of a node.
    pub lease: Duration,
    /// How long a channel without subscribers stays subscribed in Redis.
    pub unsubscribe_delay: Duration,
    /// Time between two canaries.
    pub canary_interval: Duration,
    /// Time in which the audit checks every channel with a history once.
    pub audit_duration: Duration,
    /// Lifetime of idempotency keys, of publishes and of calls.
    pub idempotency_ttl: Duration,
    /// How long the position of an idle channel is stored, unless the `ttl` of its history is longer.
    pub position_ttl: Duration,
    /// Largest number of stored subscriptions of a user.
    pub subscriptions_per_user: usize,
    /// The settings of queues. None: the node uses no queues, and makes no connections for them.
    pub queues: Option<RedisQueuesConfig>,
}
