//! Bounds of the memory broker.

use std::time::Duration;

/// Bounds of the memory broker. They cover all its data; every eviction is counted.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Lifetime of idempotency keys.
    pub idempotency_ttl: Duration,
    /// Maximum of idempotency keys per node, about 300 bytes each. The oldest are evicted first.
    pub idempotency_keys: usize,
    /// Maximum of bytes of all histories, including about 300 for each channel with a history. The oldest publications of large histories
    /// are trimmed first.
    pub history_bytes: usize,
    /// Lifetime of epoch and offset of an idle channel after its last publication expired, unless its history's `ttl` is longer.
    pub position_ttl: Duration,
    /// Maximum of idle channels, about 200 bytes each. The channels that are idle longest are evicted first. An evicted channel begins a
    /// new epoch, of which
    /// returning clients are informed.
    pub idle_channels: usize,
    /// Maximum of stored subscriptions of a user.
    pub subscriptions_per_user: usize,
    /// Maximum of stored subscriptions of all users.
    pub user_subscriptions: usize,
    /// Maximum of users with revoked tokens.
    pub revocations: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            idempotency_ttl: Duration::from_hours(1),
            idempotency_keys: 100_000,
            history_bytes: 256 << 20,
            position_ttl: Duration::from_hours(720),
            idle_channels: 100_000,
            subscriptions_per_user: 128,
            user_subscriptions: 100_000,
            revocations: 100_000,
        }
    }
}
