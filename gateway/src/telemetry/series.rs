//! The list of all metrics.

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows. Its name in `/metrics` ends in `_total`.
    Counter,
    /// A number that grows and shrinks.
    Gauge,
    /// A histogram of durations in seconds.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct SeriesRow {
    /// Name, without the prefix `switchboard_` and the suffix `_total`.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Meaning, for people.
    pub help: &'static str,
}

impl SeriesRow {
    /// Name in OTLP.
    pub fn otlp_name(&self) -> String {
        format!("switchboard_{}", self.name)
    }

    /// Name in `/metrics`.
    pub fn full_name(&self) -> String {
        format!("switchboard_{}{}", self.name, if self.kind == Kind::Counter { "_total" } else { "" })
    }
}

macro_rules! series {
    ($($variant:ident, $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        /// Identifies a metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Series { $(#[doc = $help] $variant,)* }

        /// All metrics.
        pub const SERIES: &[SeriesRow] =
            &[$(SeriesRow { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help },)*];
    };
}

series! {
    ConnectionsOpen, "connections_open", Gauge, [], "Open connections.";
    ConnectionsOpened, "connections_opened", Counter, [], "Upgrades and requests for streams that were accepted.";
    ConnectionsClosed, "connections_closed", Counter, ["code", "cause"], "Connections that ended, by WebSocket close code and cause. The code is 0 if no close frame was exchanged.";
    UpgradesRefused, "upgrades_refused", Counter, ["reason"], "Refused upgrades, refused requests for streams and with their commands, and requests to other hosts, by error.";
    IgnoredCredentials, "ignored_credentials", Counter, ["reason"], "Upgrades and requests for streams whose cookies or passwords did not count, by reason.";
    ProxyHeaders, "proxy_headers", Counter, ["result"], "Upgrades and requests of pages with headers in which proxies tell who the client is, by what became of the headers.";
    HttpConnectionErrors, "http_connection_errors", Counter, ["listener", "cause"], "HTTP connections that ended with an error, by cause.";
    TlsHandshakes, "tls_handshakes", Counter, ["listener", "result"], "Finished TLS handshakes, by kind. Failed ones are in `http_connection_errors`.";
    TlsReloads, "tls_reloads", Counter, ["listener", "result"], "Changes of the files with certificates and keys, by what became of them.";
    TlsCertificateExpiry, "tls_certificate_expiry_timestamp_seconds", Gauge, ["listener"], "When the first certificate of a listener expires, in seconds of Unix time.";
    JwksFetches, "jwks_fetches", Counter, ["issuer", "result"], "Fetches of the keys of an issuer of tokens, by result.";
    JwksAge, "jwks_age_seconds", Gauge, ["issuer"], "Age of the last keys that were fetched from an issuer of tokens.";
    JwksRefusals, "jwks_refusals", Counter, ["issuer"], "Tokens that were refused with the error 100, because their key could not be fetched.";
    SubscriptionsOpen, "subscriptions_open", Gauge, [], "Open subscriptions of frontends.";
    ChannelsOpen, "channels_open", Gauge, [], "Channels with subscribers, counted once for each worker.";
    TasksOpen, "tasks_open", Gauge, [], "Running tasks of connections, operations and fan-outs.";
    Commands, "commands", Counter, ["command"], "Commands from frontends.";
    Limited, "limited", Counter, ["limit"], "What was refused or ended because somebody asked for too much, by limit.";
    StreamRequests, "stream_requests", Counter, ["result"], "Requests with commands for the sessions of streams, by what became of them on the node of the session.";
    StreamRequestsDropped, "stream_requests_dropped", Counter, [], "Requests with commands of streams that came from other nodes and were not carried out, because too many were in progress.";
    RepliesError, "replies_error", Counter, ["code"], "Commands that were answered with an error, by error.";
    PublicationsIn, "publications_in", Counter, [], "Publications taken from the mailboxes, counted once for each worker.";
    Deliveries, "deliveries", Counter, [], "Publications, joins and leaves put into outboxes, one for each subscriber. Publications inside a reply are not counted.";
    FanOutBatches, "fan_out_batches", Counter, [], "Encoded batches of publications.";
    Backfills, "backfills", Counter, [], "Missing ranges that were read from the broker.";
    HistoryReads, "history_reads", Counter, ["result"], "Reads of a history for workers and clients that catch up. `begun`: new reads. `shared`: requests that joined a running read.";
    PresenceReads, "presence_reads", Counter, ["result"], "Reads of presence and its numbers for frontends. `begun`: new reads. `shared`: requests that got the answer of another one.";
    GapBufferBytes, "gap_buffer_bytes", Gauge, [], "Size of the publications that wait while a gap before them is read, in bytes.";
    GapBufferDropped, "gap_buffer_dropped", Counter, [], "Publications that were not kept while a gap was read, because of the limit or because the channel is read again anyway. They are read from the history.";
    Forks, "forks", Counter, [], "Forks, counted once for each worker with subscribers of the channel. Client-side subscriptions are ended, and the SDK subscribes again.";
    RecoveriesFromMemory, "recoveries_from_memory", Counter, [], "Recoveries that a worker answered from its memory, without a read.";
    AuditLosses, "audit_losses", Counter, [], "Losses between broker and worker that only the audit found; expected to stay 0.";
    GapsLost, "gaps_lost", Counter, [], "Missing ranges that had left the history. Subscribers were informed.";
    StompGapsUntold, "stomp_gaps_untold", Counter, [], "STOMP subscriptions that lost publications and were not informed, because they sent no `x-position`.";
    Dropped, "dropped", Counter, ["cause"], "Deliveries that were not made or not written, by cause.";
    OutboxOverflow, "outbox_overflow", Counter, ["policy"], "Outboxes that overflowed, by action taken.";
    OutboxBytes, "outbox_bytes", Gauge, [], "Bytes in all outboxes.";
    BytesIn, "bytes_in", Counter, [], "Bytes of the messages read from connections.";
    BytesOut, "bytes_out", Counter, [], "Bytes of the messages written completely.";
    FramesIn, "frames_in", Counter, [], "WebSocket messages read, and requests with commands of streams.";
    FramesOut, "frames_out", Counter, [], "WebSocket messages and parts of streams written completely.";
    LimitsForgotten, "limits_forgotten", Counter, ["table"], "Peers that lost their place in a full table while it counted something, so that the count of each begins again.";
    KeyRequestsLimited, "key_requests_limited", Counter, ["key"], "Requests of services that were refused because there were too many with their API key, by its name.";
    KeyRefusals, "key_refusals", Counter, ["result"], "Requests and publications of services that were refused because of their API key, by whether the audit log has a line.";
    KeyReloads, "key_reloads", Counter, ["result"], "Changes of the API keys, by what became of them.";
    Revocations, "revocations", Counter, ["by"], "Revocations that this node stored, by what they are about.";
    Logouts, "logouts", Counter, ["result"], "Logout tokens of issuers, by what became of them.";
    TokensUnchecked, "tokens_unchecked", Counter, ["result"], "New tokens of open connections, and subscription tokens, whose revocation could not be looked up because the store did not answer.";
    RestRequest, "rest_request_duration_seconds", Histogram, ["route", "method", "status"], "Duration of requests of the internal listener.";
    Call, "call_duration_seconds", Histogram, ["service", "outcome"], "Duration of calls, from the frontend's command to the answer.";
    ServiceCalls, "service_calls", Counter, ["result"], "Calls to services, by result.";
    ServiceAnswersDropped, "service_answers_dropped", Counter, ["result"], "Answers of services that arrived after the caller had stopped waiting.";
    ServiceAnswersKept, "service_answers_kept", Counter, ["result"], "Calls with a key that were sent, by what is kept of their answers.";
    ServiceRepeats, "service_repeats", Counter, ["result"], "Repeats of calls with a key that were not sent, by result.";
    ServiceEvents, "service_events", Counter, ["result"], "Events for services, by result.";
    ServiceLifecycleEvents, "service_lifecycle_events", Counter, ["result"], "Lifecycle events for services, by result.";
    QueueEvents, "queue_events", Counter, ["queue", "result"], "Events for the queues of services, by result.";
    QueueDeliveries, "queue_deliveries", Counter, ["queue", "result"], "Deliveries from the queues of services by this node, by how they ended.";
    GuardQuestions, "guard_questions", Counter, ["kind", "result"], "Questions to services that decide what frontends may do, by result.";
    GuardBypassed, "guard_bypassed", Counter, ["kind"], "Commands that were carried out although their guard was away, because of `when_away`.";
    GuardAnswersEvicted, "guard_answers_evicted", Counter, [], "Remembered answers of guards that were forgotten early because of the limit.";
    QueueDepth, "queue_depth", Gauge, ["queue"], "Entries that are not acknowledged, in all partitions of a queue; all nodes see the same.";
    QueueOldestAge, "queue_oldest_age_seconds", Gauge, ["queue"], "Age of the oldest entry of a queue.";
    QueueDeadLettersHeld, "queue_dead_letters_held", Gauge, ["queue"], "Dead letters of a queue.";
    QueueOwnedPartitions, "queue_owned_partitions", Gauge, ["queue"], "Partitions of a queue that this node owns.";
    QueueBlockedKeys, "queue_blocked_keys", Gauge, ["queue"], "Keys whose first entry failed and waits for another try, or for room among the dead letters, in the partitions that this node owns.";
    QueueWaiting, "queue_waiting", Gauge, ["queue", "partition", "key"], "1 while a partition reads no new entries because too many wait behind failed ones; the key has most of them.";
    QueueDeadLetters, "queue_dead_letters", Counter, ["queue", "reason"], "Entries that became dead letters, by reason.";
    IngestEntries, "ingest_entries", Counter, ["result"], "Entries of ingest, by what became of them.";
    LinkPublishes, "link_publishes", Counter, ["result"], "Publications from links, by result.";
    Links, "links", Counter, ["result"], "Links that were opened, and links that ended, by cause.";
    BrokerChannels, "broker_channels", Gauge, [], "Channels with subscribers, publications or presence.";
    BrokerPublications, "broker_publications", Gauge, [], "Stored publications.";
    BrokerBytes, "broker_bytes", Gauge, [], "Approximate size of the stored publications in bytes.";
    BrokerIdleChannels, "broker_idle_channels", Gauge, [], "Idle channels whose position is remembered.";
    BrokerIdempotencyKeys, "broker_idempotency_keys", Gauge, [], "Idempotency keys that are remembered.";
    BrokerProducers, "broker_producers", Gauge, [], "Producers whose numbers are remembered.";
    BrokerAnswers, "broker_answers", Gauge, [], "Answers to calls with a key that are kept.";
    BrokerAnswersBytes, "broker_answers_bytes", Gauge, [], "Size of these answers in bytes.";
    BrokerUserSubscriptions, "broker_user_subscriptions", Gauge, [], "Stored subscriptions of users.";
    BrokerTrimmed, "broker_trimmed", Counter, ["cause"], "Publications that left their history, by cause.";
    MailboxDropped, "mailbox_dropped", Counter, ["cause"], "Entries that did not fit into a worker's mailbox, by cause. Channels with a history are then read from it.";
    BrokerEvicted, "broker_evicted", Counter, ["kind"], "Entries that were deleted early, by kind: to stay within a limit, or (`misplaced_key`) because they belong to another server of `redis.url`.";
    RedisInterruptions, "redis_interruptions", Counter, ["cause"], "Subscriber connections to Redis that ended, by cause.";
    RedisMasters, "redis_masters", Gauge, ["state"], "Redis masters by state: `serving` if everything works, `unavailable` if anything does not.";
    RedisMissingDeliveries, "redis_missing_deliveries", Counter, [], "Channels resubscribed because a publication acknowledged here did not arrive within two seconds.";
    RedisFailedRenewals, "redis_failed_renewals", Counter, [], "Attempts to renew the assignment of a server that failed.";
    RedisUnconfirmedBatches, "redis_unconfirmed_batches", Counter, [], "Batches of commands of queues that fewer replicas than queues.replicas confirmed in time.";
    RedisResubscribed, "redis_resubscribed", Counter, [], "Channels subscribed again because of a lost connection or missing deliveries.";
    RedisAbnormalMessages, "redis_abnormal_messages", Counter, ["cause"], "`unannounced`: publications that Redis stored but refused to announce; subscribers get them from the history. `foreign`: messages that no gateway wrote; they are ignored.";
    RedisCanaryRoundTrip, "redis_canary_round_trip_ms", Gauge, [], "Milliseconds from publishing the last canary to its return.";
}

impl Series {
    /// Its entry in the list.
    pub fn row(self) -> &'static SeriesRow {
        &SERIES[self as usize]
    }
}
