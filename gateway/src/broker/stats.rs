//! Statistics of the broker.

/// The current contents of a broker, and counters since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Number of channels with subscribers, publications or presence.
    pub channels: usize,
    /// Number of stored publications.
    pub publications: usize,
    /// Approximate size of the stored publications and their channels, in bytes.
    pub bytes: usize,
    /// Number of idle channels whose position is stored.
    pub idle_channels: usize,
    /// Number of stored idempotency keys.
    pub idempotency_keys: usize,
    /// Number of producers whose numbers are stored.
    pub producers: usize,
    /// Number of kept answers to calls with a key.
    pub answers: usize,
    /// Size of these answers in bytes, including 256 bytes for each.
    pub answers_bytes: usize,
    /// Number of stored subscriptions of users.
    pub user_subscriptions: usize,
    /// Publications that were removed from their histories.
    pub trimmed: Trimmed,
    /// Number of idle channels whose position was deleted before its expiry, because there were more than `broker.idle_channels`.
    pub idle_evicted: u64,
    /// Number of idempotency keys that were deleted before their expiry, because there were more than `idempotency.max_keys`.
    pub idempotency_evicted: u64,
    /// Number of producers that were forgotten before their expiry, because there were more than `broker.producers`.
    pub producers_evicted: u64,
    /// Number of answers that were deleted before their expiry, because of `idempotency.max_answers` or `idempotency.answers_bytes`.
    pub answers_evicted: u64,
    /// Statistics of the Redis broker.
    pub redis: Option<RedisStats>,
}

/// Statistics of the Redis broker since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisStats {
    /// Number of messages in the gateway's pub/sub channels that no gateway wrote. The broker ignores them.
    pub foreign: u64,
    /// Number of publications that Redis stored but did not send to subscribers.
    pub unannounced: u64,
    /// Number of active channels that stay missing from the channel index until the next sweep, because too many names waited for the
    /// write.
    pub unlisted: u64,
    /// Number of keys that a sweep deleted because, with several servers, they belong to another server.
    pub misplaced: u64,
    /// Number of subscriber connections that broke.
    pub broken: u64,
    /// Number of these connections that were open but delivered no more messages.
    pub undelivered: u64,
    /// Number of channels that did not deliver an acknowledged publication of this node in time.
    pub missing_deliveries: u64,
    /// Number of channels to which the node subscribed again after a broken connection, a moved slot or a missing delivery.
    pub resubscribed: u64,
    /// Number of failed attempts to renew the assignment of a server.
    pub failed_renewals: u64,
    /// Batches of commands of queues that fewer replicas than `queues.replicas` confirmed in time.
    pub unconfirmed_batches: u64,
    /// Number of masters of which all parts work.
    pub serving: usize,
    /// Number of masters of which a part does not work.
    pub unavailable: usize,
    /// Time from the publish of the last canary to its delivery, in milliseconds.
    pub round_trip_ms: u64,
}

/// Number of publications that were removed from their histories, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// The channel's history was full.
    pub size: u64,
    /// The publications expired.
    pub expired: u64,
    /// All histories together exceeded `broker.history_bytes`.
    pub bytes: u64,
    /// A service deleted the history.
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
