//! The broker in figures.

/// What a broker holds now, and what it let go of since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Channels with subscribers, publications or somebody present.
    pub channels: usize,
    /// Publications held.
    pub publications: usize,
    /// Their bytes, with what their channels take, about.
    pub bytes: usize,
    /// Idle channels whose epoch and offset are remembered.
    pub idle_channels: usize,
    /// Idempotency keys remembered.
    pub idempotency_keys: usize,
    /// Stored subscriptions of users.
    pub user_subscriptions: usize,
    /// Publications that are held no more.
    pub trimmed: Trimmed,
    /// Idle channels that were forgotten early, to stay within the bound.
    pub idle_evicted: u64,
    /// Idempotency keys that were forgotten early, to stay within the bound.
    pub idempotency_evicted: u64,
    /// What only a broker over Redis counts.
    pub redis: Option<RedisStats>,
}

/// How a broker over Redis fares, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisStats {
    /// Messages in the gateway's channels that no gateway wrote; they were left out.
    pub foreign: u64,
    /// Publications that were stored, but that Redis refused to announce.
    pub unannounced: u64,
    /// Channels that became active, and are not listed before the next sweep.
    pub unlisted: u64,
    /// Connections for subscriptions that broke.
    pub broken: u64,
    /// Those of them that had gone deaf.
    pub deaf: u64,
    /// Channels to which a publication that was acknowledged here did not come in time.
    pub silent: u64,
    /// Channels that were subscribed to again after any of this.
    pub resubscribed: u64,
    /// Masters that everything works at.
    pub serving: usize,
    /// Masters that something does not work at.
    pub away: usize,
    /// What a canary needed last, from its publish to its return, in milliseconds.
    pub round_trip_ms: u64,
}

/// Publications that left their history, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// The channel's history was full.
    pub size: u64,
    /// Their time had passed.
    pub expired: u64,
    /// All histories together took too many bytes.
    pub bytes: u64,
    /// Somebody cleared the channel.
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
