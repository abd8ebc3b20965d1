//! Every series that `/metrics` and OTLP have: the one list.

/// What a series does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts durations in seconds by size.
    Histogram,
}

/// One row of the list.
#[derive(Clone, Copy, Debug)]
pub struct SeriesRow {
    /// Name without the prefix `switchboard_` and the ending `_total`.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, for people.
    pub help: &'static str,
}

impl SeriesRow {
    /// The name as OTLP has it.
    pub fn otlp_name(&self) -> String {
        format!("switchboard_{}", self.name)
    }

    /// The name as `/metrics` has it.
    pub fn full_name(&self) -> String {
        format!("switchboard_{}{}", self.name, if self.kind == Kind::Counter { "_total" } else { "" })
    }
}

macro_rules! series {
    ($($variant:ident, $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        /// One series.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Series { $(#[doc = $help] $variant,)* }

        /// Every series.
        pub const SERIES: &[SeriesRow] =
            &[$(SeriesRow { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help },)*];
    };
}

series! {
    ConnectionsOpen, "connections_open", Gauge, [], "Connections of frontends.";
    ConnectionsOpened, "connections_opened", Counter, [], "Upgrades that were accepted.";
    ConnectionsClosed, "connections_closed", Counter, ["code", "cause"], "Connections that ended, by WebSocket close code and cause; code 0 where no Close was exchanged.";
    UpgradesRefused, "upgrades_refused", Counter, ["reason"], "Upgrades that were refused, by error.";
    HttpConnectionErrors, "http_connection_errors", Counter, ["listener", "cause"], "HTTP connections that did not end in good order, by cause.";
    SubscriptionsOpen, "subscriptions_open", Gauge, [], "Subscriptions of frontends.";
    ChannelsOpen, "channels_open", Gauge, [], "Channels with subscribers, counted once per worker.";
    TasksOpen, "tasks_open", Gauge, [], "Tasks of connections, operations and fan-outs.";
    Commands, "commands", Counter, ["command"], "Commands that frontends sent.";
    RepliesError, "replies_error", Counter, ["code"], "Commands that were answered with an error, by error.";
    PublicationsIn, "publications_in", Counter, [], "Publications that came out of the mailboxes, once per worker.";
    Deliveries, "deliveries", Counter, [], "Publications, joins and leaves put in outboxes, one for each subscriber; those within answers are not counted.";
    FanOutBatches, "fan_out_batches", Counter, [], "Batches of publications encoded for a channel.";
    Backfills, "backfills", Counter, [], "Missing ranges that were read from the broker.";
    StreamReads, "stream_reads", Counter, ["how"], "Reads for workers and clients that catch up: begun, or saved because one served several.";
    HoldBytes, "hold_bytes", Gauge, [], "Bytes of publications that are held back while a gap before them is read.";
    HoldDropped, "hold_dropped", Counter, [], "Publications that were not held back, for want of room or because the channel is being read anyway; they are read again.";
    Forks, "forks", Counter, [], "Channels of a worker whose stream went on in a new timeline; client-side subscriptions begin anew.";
    RecoveriesRemembered, "recoveries_remembered", Counter, [], "Recoveries that a worker answered from what it remembers, without a read.";
    FoundByAudit, "found_by_audit", Counter, [], "Losses on the way from the store that only the audit of all channels found; expected to stay 0.";
    GapsLost, "gaps_lost", Counter, [], "Missing ranges that the broker no longer held; subscribers were told.";
    Dropped, "dropped", Counter, ["cause"], "Deliveries that were not made, or not written, by cause.";
    OutboxOverflow, "outbox_overflow", Counter, ["policy"], "Outboxes that overflowed, by what was done.";
    OutboxBytes, "outbox_bytes", Gauge, [], "Bytes that wait for connections to take them.";
    BytesIn, "bytes_in", Counter, [], "Bytes of the messages read from connections.";
    BytesOut, "bytes_out", Counter, [], "Bytes of the messages written whole.";
    FramesIn, "frames_in", Counter, [], "WebSocket messages read.";
    FramesOut, "frames_out", Counter, [], "WebSocket messages written whole.";
    RestRequest, "rest_request_duration_seconds", Histogram, ["route", "method", "status"], "Requests of the internal listener.";
    Call, "call_duration_seconds", Histogram, ["service", "outcome"], "Calls of services, from the frontend's command to the answer.";
    ServiceCalls, "service_calls", Counter, ["result"], "Calls of services, by result.";
    ServiceAnswersDropped, "service_answers_dropped", Counter, ["result"], "Answers of services that nobody waited for any more.";
    ServiceEvents, "service_events", Counter, ["result"], "Events for services, by result.";
    ServiceLifecycleEvents, "service_lifecycle_events", Counter, ["result"], "Lifecycle events for services, by result.";
    LinkPublishes, "link_publishes", Counter, ["result"], "Publications that came over links, by result.";
    Links, "links", Counter, ["result"], "Links of service instances that were opened and that ended, by cause.";
    BrokerChannels, "broker_channels", Gauge, [], "Channels with subscribers, publications or somebody present.";
    BrokerPublications, "broker_publications", Gauge, [], "Publications that are held.";
    BrokerBytes, "broker_bytes", Gauge, [], "Bytes of the publications that are held, about.";
    BrokerIdleChannels, "broker_idle_channels", Gauge, [], "Idle channels whose position is remembered.";
    BrokerIdempotencyKeys, "broker_idempotency_keys", Gauge, [], "Idempotency keys that are remembered.";
    BrokerUserSubscriptions, "broker_user_subscriptions", Gauge, [], "Stored subscriptions of users.";
    BrokerTrimmed, "broker_trimmed", Counter, ["cause"], "Publications that are held no more, by cause.";
    MailboxDropped, "mailbox_dropped", Counter, ["cause"], "Posts that a worker's mailbox had no room for, by cause; deliveries of history channels are read again.";
    BrokerEvicted, "broker_evicted", Counter, ["what"], "What was forgotten early, to stay within its bound.";
    RedisInterruptions, "redis_interruptions", Counter, ["cause"], "Connections to Redis for subscriptions that were lost, by cause.";
    RedisMasters, "redis_masters", Gauge, ["state"], "Servers that hold a share of the channels: those that everything works at, and those that something does not.";
    RedisSilent, "redis_silent", Counter, [], "Channels to which a publication that was acknowledged here did not come within two seconds; they were subscribed to again.";
    RedisResubscribed, "redis_resubscribed", Counter, [], "Channels that were subscribed to again, because of a lost connection or for lack of deliveries.";
    RedisLeftOut, "redis_left_out", Counter, ["cause"], "Announcements that did not go their usual way: refused by Redis after the publication was stored (it is read instead), or written by no gateway.";
    RedisRoundTrip, "redis_round_trip_ms", Gauge, [], "What the last canary took from its publish to its return, in milliseconds.";
}

impl Series {
    /// Its row.
    pub fn row(self) -> &'static SeriesRow {
        &SERIES[self as usize]
    }
}
