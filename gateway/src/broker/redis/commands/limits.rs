//! Limits of a lane.

use std::time::Duration;

/// Limits of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// Largest number of commands in the lane's queues. When they are full, a new command waits for room until its deadline. All commands
    /// for unusable masters together may take half of the places (with a single master, all of them). Beyond that, a new command for an
    /// unusable master fails at once.
    pub(crate) queue_commands: usize,
    /// Largest number of commands in a batch.
    pub(crate) batch_commands: usize,
    /// Longest time for a command, from its arrival to its answer.
    pub(crate) deadline: Duration,
    /// What a batch waits for before its commands count as executed.
    pub(crate) replicas: Option<Replicas>,
}

/// Replicas that have to confirm a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replicas {
    /// Their number, at least 1.
    pub(crate) count: u32,
    /// Longest time in which the master waits for them. Then the batch is sent again. Must be shorter than `redis.response_timeout`.
    pub(crate) timeout: Duration,
}
