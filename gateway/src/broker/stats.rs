//! Statistics of the broker.

/// Current contents of a broker, and counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Channels with subscribers, publications or presence.
    pub channels: usize,
    /// Kept publications.
    pub publications: usize,
    /// Approximate bytes of the publications and their channels.
    pub bytes: usize,
    /// Idle channels with a stored epoch and offset.
    pub idle_channels: usize,
    /// Stored idempotency keys.
    pub idempotency_keys: usize,
    /// Stored subscriptions of users.
    pub user_subscriptions: usize,
    /// Publications that left their history.
    pub trimmed: Trimmed,
    /// Idle channels that were evicted early, at the bound.
    pub idle_evicted: u64,
    /// Idempotency keys that were evicted early, at the bound.
    pub idempotency_evicted: u64,
    /// Statistics of the Redis broker.
    pub redis: Option<RedisStats>,
}

/// Statistics of the Redis broker since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisStats {
    /// Messages that no gateway wrote, in pub/sub channels of the prefix. The broker ignores them.
    pub foreign: u64,
    /// Publications that Redis stored but did not send to subscribers.
    pub unannounced: u64,
    /// Channels that became active but are missing from the channel index until the next sweep.
    pub unlisted: u64,
    /// Keys that a sweep deleted, because they belong to another one of several servers.
    pub misplaced: u64,
    /// Subscriber connections that broke.
    pub broken: u64,
    /// Broken subscriber connections that were open but delivered nothing.
    pub undelivered: u64,
    /// Channels that did not deliver an acknowledged publication of this node in time.
    pub missing_deliveries: u64,
    /// Channels that the node subscribed to again for one of these reasons.
    pub resubscribed: u64,
    /// Attempts to renew the assignment of a server that failed.
    pub failed_renewals: u64,
    /// Masters that work with all their parts.
    pub serving: usize,
    /// Masters that do not.
    pub unavailable: usize,
    /// Round trip of the last canary, in milliseconds.
    pub round_trip_ms: u64,
}

/// Publications that left their history, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// The channel's history was full.
    pub size: u64,
    /// The publications expired.
    pub expired: u64,
    /// All histories together exceeded the maximum of bytes.
    pub bytes: u64,
    /// A client deleted the history.
    pub cleared: u64,
}

impl std::ops::AddAssign for Trimmed {
    fn add_assign(&mut self, other: Self) {
        self.size += other.size;
        self.expired += other.expired;
        self.bytes += other.bytes;
        self.cleared += other.cleared;
    }
}
