//! The settings of queues.

use crate::settings::Settings;
use std::time::Duration;

/// The settings of queues in Redis.
#[derive(Clone, Copy, Debug)]
pub struct RedisQueuesConfig {
    /// How long a node owns a partition without a renewal.
    pub lease: Duration,
    /// Largest number of entries of a partition.
    pub max_length: u32,
    /// Largest number of dead letters of a partition.
    pub max_dead: u32,
    /// The same of a partition of ingest.
    pub max_ingest_dead: u32,
    /// Number of replicas that have an event before it is accepted.
    pub replicas: u32,
    /// Longest time in which a master waits for them. Then the node asks again, until the deadline of the command. Must be shorter than the
    /// response timeout.
    pub replica_timeout: Duration,
}

impl From<&Settings> for RedisQueuesConfig {
    fn from(settings: &Settings) -> Self {
        let max_ingest_dead = settings.ingest.max_dead;
        let settings = &settings.queues;
        Self {
            max_ingest_dead,
            lease: settings.lease,
            max_length: settings.max_length,
            max_dead: settings.max_dead,
            replicas: settings.replicas,
            replica_timeout: settings.replica_timeout,
        }
    }
}
