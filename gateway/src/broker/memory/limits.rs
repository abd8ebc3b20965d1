//! Bounds of the memory broker.

use std::time::Duration;

/// Bounds of the memory broker. Everything it keeps is within one of them; what they push out is counted.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// How long idempotency keys are remembered.
    pub idempotency_ttl: Duration,
    /// How many of them per node; the oldest go first. Some 300 bytes each.
    pub idempotency_keys: usize,
    /// Bytes of all histories together, with some 300 for each channel that has one; the oldest publications of large ones go first.
    pub history_bytes: usize,
    /// How long epoch and offset of an idle channel are remembered after its last publication expired, unless its history's `ttl` is longer.
    pub meta_ttl: Duration,
    /// Of how many idle channels; the longest idle go first. A channel that was forgotten begins a new epoch, and returning clients are
    /// told so. Some 200 bytes each.
    pub idle_channels: usize,
    /// Stored subscriptions of one user.
    pub subscriptions_per_user: usize,
    /// Stored subscriptions of all users together.
    pub user_subscriptions: usize,
    /// Users whose tokens were revoked.
    pub revocations: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            idempotency_ttl: Duration::from_hours(1),
            idempotency_keys: 100_000,
            history_bytes: 256 << 20,
            meta_ttl: Duration::from_hours(720),
            idle_channels: 100_000,
            subscriptions_per_user: 128,
            user_subscriptions: 100_000,
            revocations: 100_000,
        }
    }
}
