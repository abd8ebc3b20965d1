//! Limits of the memory broker.

use std::time::Duration;

/// Limits of the memory broker. They cover all its data. Everything that is deleted at a limit is counted.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Lifetime of idempotency keys, of publishes and of calls.
    pub idempotency_ttl: Duration,
    /// Largest number of idempotency keys, about 300 bytes each. The oldest are deleted first.
    pub idempotency_keys: usize,
    /// Largest number of calls with a key: those in progress, and those whose answers are kept. The oldest answers are deleted first.
    pub answers: usize,
    /// Largest size of all answers together, in bytes, including 256 bytes for each.
    pub answers_bytes: usize,
    /// Largest number of producers, about 600 bytes each. Those of the channel that was unused longest are forgotten first.
    pub producers: usize,
    /// Largest size of all histories together, in bytes, including about 300 bytes for each channel with a history. Above it, the oldest
    /// publications of large histories are deleted first.
    pub history_bytes: usize,
    /// How long the position of an idle channel is stored, unless the `ttl` of its history is longer.
    pub position_ttl: Duration,
    /// Largest number of idle channels whose position is stored, about 200 bytes each. The channels that have been idle longest are deleted
    /// first. A deleted channel begins a new epoch, from which returning clients learn that publications may be lost.
    pub idle_channels: usize,
    /// Largest number of stored subscriptions of one user.
    pub subscriptions_per_user: usize,
    /// Largest number of stored subscriptions of all users together.
    pub user_subscriptions: usize,
    /// Largest number of users with a revocation.
    pub revocations: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            idempotency_ttl: Duration::from_hours(1),
            idempotency_keys: 100_000,
            answers: 100_000,
            answers_bytes: 64 << 20,
            producers: 100_000,
            history_bytes: 256 << 20,
            position_ttl: Duration::from_hours(720),
            idle_channels: 100_000,
            subscriptions_per_user: 128,
            user_subscriptions: 100_000,
            revocations: 100_000,
        }
    }
}
