//! Every setting: name, type and bounds. `config/default.toml` documents their meaning.

use super::{
    choices::{BrokerKind, CallOrder, Grant, LogFormat, Reach, SlowConsumer},
    reader::section,
    redis_url::RedisUrl,
    value::{ByteSize, GIB, KIB, MIB},
};
use secrecy::SecretString;
use std::{net::SocketAddr, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

const fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

const fn size(bytes: usize) -> ByteSize {
    ByteSize(bytes)
}

section! {
    /// `[node]`: this process.
    Node {
        /// Unique in the cluster; visible to clients and services. Never empty here: the default is made from the host's name.
        name: String,
    }

    /// `[public]`: the listener for frontends.
    Public {
        /// Address to listen on.
        address: SocketAddr,
        /// Origins of pages that may connect; empty: only the gateway's own.
        allowed_origins: Vec<String>,
        /// Limit of this node's connections; further ones get 503.
        max_connections: usize = 1..=10_000_000,
        /// Limit of connections that speak HTTP or are not upgraded yet.
        http_connections: usize = 1..=1_000_000,
        /// Time for the head of a request.
        request_timeout: Duration = millis(100)..=MINUTE,
        /// Time between requests.
        keep_alive: Duration = SECOND..=10 * MINUTE,
        /// `Retry-After` of a 503 at the limit.
        retry_after: Duration = SECOND..=HOUR,
    }

    /// `[internal]`: the listener for services and operators.
    Internal {
        /// Address to listen on.
        address: SocketAddr,
        /// Connections, links of services included.
        connections: usize = 1..=1_000_000,
        /// For a request's head to come.
        request_timeout: Duration = millis(100)..=MINUTE,
        /// Between requests.
        keep_alive: Duration = SECOND..=10 * MINUTE,
        /// Largest request body.
        body_size: ByteSize = size(KIB)..=size(64 * MIB),
        /// Publications in one request.
        batch_entries: usize = 1..=100_000,
        /// Channels in one answer.
        page_entries: usize = 1..=100_000,
    }

    /// `[connection]`: connections of frontends.
    Connection {
        /// Time from the upgrade to the connect command.
        connect_timeout: Duration = millis(100)..=5 * MINUTE,
        /// Time between pings.
        ping_interval: Duration = SECOND..=HOUR,
        /// Time for the answer to a ping.
        pong_timeout: Duration = SECOND..=10 * MINUTE,
        /// Time after a token's expiry for its refresh.
        expiry_grace: Duration = millis(0)..=HOUR,
        /// Largest message from a frontend.
        message_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Largest data of one message to a frontend.
        data_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Time from the first byte of a message to its last.
        message_timeout: Duration = millis(100)..=5 * MINUTE,
        /// Bytes read from a connection in one turn.
        turn_bytes: ByteSize = size(KIB)..=size(MIB),
        /// Commands of a connection handled in one turn.
        turn_commands: usize = 1..=10_000,
        /// Memory of one connection's outbox.
        outbox_bytes: ByteSize = size(4 * KIB)..=size(256 * MIB),
        /// Memory of all outboxes of a worker.
        worker_outbox_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
        /// Age of the oldest unsent byte at which the connection is closed.
        write_timeout: Duration = millis(100)..=10 * MINUTE,
        /// Time from the gateway's close frame to the end of the socket.
        close_timeout: Duration = millis(100)..=MINUTE,
        /// Limit of subscriptions.
        max_subscriptions: usize = 1..=100_000,
        /// Limit of operations in flight; at the limit the connection is not read.
        max_in_flight: usize = 1..=10_000,
    }

    /// `[fan_out]`: the way from the broker to the subscribers.
    FanOut {
        /// Largest batch of publications of a channel.
        batch_bytes: ByteSize = size(KIB)..=size(16 * MIB),
        /// Subscribers of a channel served in one turn of the worker.
        subscribers_per_turn: usize = 1..=100_000,
        /// Deliveries that may wait for a worker.
        mailbox_entries: usize = 64..=16_777_216,
        /// The same limit in bytes.
        mailbox_bytes: ByteSize = size(MIB)..=size(64 * GIB),
        /// Subscribers above which a channel sends no joins and leaves.
        join_leave_max: usize = 0..=1_000_000,
    }

    /// `[recovery]`: reading missed publications.
    Recovery {
        /// Publications in one page.
        page_entries: usize = 1..=10_000,
        /// Bytes in one page; the first publication is included whatever its size.
        page_bytes: ByteSize = size(KIB)..=size(16 * MIB),
        /// Time for one subscribe command.
        attach_timeout: Duration = millis(100)..=MINUTE,
        /// Deliveries that wait for one subscriber while it attaches.
        attach_buffer: usize = 16..=1_000_000,
        /// Bytes of publications that wait while a gap before them is read, for all workers.
        gap_buffer_bytes: ByteSize = size(KIB)..=size(64 * GIB),
        /// Concurrent reads of gaps.
        concurrent_reads: usize = 1..=10_000,
        /// Subscriptions of a worker to restart per second.
        resubscribes_per_second: usize = 1..=1_000_000,
    }

    /// `[publish]`: tags of publications.
    Publish {
        /// Number of tags.
        max_tags: usize = 0..=1000,
        /// Bytes of all keys and values of the tags.
        tag_bytes: ByteSize = size(0)..=size(64 * KIB),
    }

    /// `[history]`: answers with history.
    History {
        /// Publications in one answer.
        limit: usize = 1..=100_000,
    }

    /// `[presence]`: answers with presence.
    Presence {
        /// Entries in one answer.
        limit: usize = 1..=1_000_000,
    }

    /// `[subscriptions]`: subscriptions that services make for users.
    Subscriptions {
        /// Limit for one user; at most [`Connection::max_subscriptions`].
        max_per_user: usize = 1..=100_000,
        /// Limit for all users.
        max_total: usize = 1..=100_000_000,
    }

    /// `[idempotency]`: idempotency keys of publishes.
    Idempotency {
        /// How long a key is remembered.
        ttl: Duration = SECOND..=7 * DAY,
        /// Keys that this node remembers.
        max_keys: usize = 1..=100_000_000,
    }

    /// `[broker]`: where publications are kept.
    Broker {
        /// Kind of the broker.
        kind: BrokerKind,
        /// Bytes of all histories (memory).
        history_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
        /// Idle channels whose position is remembered (memory).
        idle_channels: usize = 1..=100_000_000,
        /// How long a position is remembered after the last publication expired.
        position_ttl: Duration = MINUTE..=3650 * DAY,
    }

    /// `[redis]`: the Redis broker.
    Redis {
        /// Address of Redis. Secret, because it may contain passwords.
        url: RedisUrl,
        /// PEM file of the authorities that sign its certificates; empty: those of the machine.
        ca_file: String,
        /// PEM file of the gateway's certificate; empty: none.
        cert_file: String,
        /// PEM file of the key of that certificate.
        key_file: String,
        /// User for sentinels; empty: the default user.
        sentinel_user: String,
        /// Password for sentinels; empty: none.
        sentinel_password: SecretString,
        /// Prefix of all keys.
        prefix: String,
        /// Connections for publishes, and as many for reads, to each server.
        lanes: usize = 1..=64,
        /// Commands that may wait for each of these connections.
        queue_commands: usize = 16..=1_000_000,
        /// Commands sent together.
        batch_commands: usize = 1..=10_000,
        /// Time for a command, from its arrival to its answer.
        deadline: Duration = millis(500)..=MINUTE,
        /// Time to open a connection.
        connect_timeout: Duration = millis(100)..=MINUTE,
        /// Time for an answer; without one the connection counts as broken.
        response_timeout: Duration = millis(100)..=MINUTE,
        /// How long a channel without subscribers stays subscribed in Redis.
        unsubscribe_delay: Duration = millis(0)..=10 * MINUTE,
        /// Time between canaries.
        canary_interval: Duration = millis(100)..=MINUTE,
        /// Time for one audit of all channels.
        audit_duration: Duration = SECOND..=HOUR,
    }

    /// `[cluster]`: the nodes that share a store.
    Cluster {
        /// A node that does not renew its lease for so long is dead.
        lease: Duration = SECOND..=10 * MINUTE,
        /// Time between sweeps of presence.
        sweep_interval: Duration = SECOND..=7 * DAY,
        /// How long the disconnects of a dead node are offered to services.
        disconnect_event_ttl: Duration = SECOND..=DAY,
        /// Address of this node's internal listener for services; empty: where it is bound.
        link_url: String,
        /// Address of this node's public listener for frontends; empty: where it is bound.
        public_url: String,
    }

    /// `[tokens]`: tokens of frontends.
    Tokens {
        /// Key of HS256 tokens; empty: no token is accepted.
        hmac_secret: SecretString,
        /// Whether a connection without a token is accepted.
        anonymous: bool,
        /// Required `aud`; empty: not checked.
        audience: String,
        /// Required `iss`; empty: not checked.
        issuer: String,
        /// Tolerance for clocks that differ.
        leeway: Duration = millis(0)..=5 * MINUTE,
        /// How long a revocation is remembered.
        revocation_ttl: Duration = MINUTE..=365 * DAY,
        /// Limit of users with a revocation (memory).
        max_revoked_users: usize = 1..=100_000_000,
    }

    /// `[[api_keys]]`: keys of services.
    ApiKey {
        /// Name in logs and metrics.
        name: String,
        /// The key, sent as `Authorization: Bearer`.
        key: SecretString,
    }

    /// `[personal]`: options of the channels `#user`. Only the user is ever subscribed.
    Personal {
        /// Number of newest publications that are kept; 0: none.
        history_size: u32 = 0..=1_000_000,
        /// How long they are kept after the last publication.
        history_ttl: Duration = SECOND..=365 * DAY,
        /// Whether the user's connections are recorded.
        presence: bool,
        /// Whether these connections get joins and leaves.
        join_leave: bool,
        /// Whether the user may publish.
        publish: Grant,
        /// Whether the user may see presence.
        see_presence: Grant,
        /// Whether the user may read history.
        see_history: Grant,
        /// See [`SlowConsumer`].
        slow_consumer: SlowConsumer,
    }

    /// `[channel_defaults]`, `[namespaces.X]`: options of channels.
    Channel {
        /// Number of newest publications that are kept; 0: none.
        history_size: u32 = 0..=1_000_000,
        /// How long they are kept after the last publication.
        history_ttl: Duration = SECOND..=365 * DAY,
        /// Whether subscribers are recorded.
        presence: bool,
        /// Whether subscribers get joins and leaves.
        join_leave: bool,
        /// Who may subscribe.
        subscribe: Grant,
        /// Who may publish.
        publish: Grant,
        /// Who may see presence.
        see_presence: Grant,
        /// Who may read history.
        see_history: Grant,
        /// See [`SlowConsumer`].
        slow_consumer: SlowConsumer,
    }

    /// `[services.X]`: a backend that frontends may call.
    Service {
        /// How the gateway reaches it.
        reach: Reach,
        /// Time for the answer to a call.
        call_timeout: Duration = millis(10)..=10 * MINUTE,
        /// Limit of calls in flight at this node.
        max_in_flight: usize = 1..=1_000_000,
        /// Which calls keep their order.
        order: CallOrder,
        /// Calls of one connection that may wait for an earlier one.
        order_queue: usize = 1..=10_000,
        /// Timeouts and lost links in a row after which an instance gets no calls.
        breaker_failures: u32 = 1..=1_000_000,
        /// How long it gets no calls.
        breaker_pause: Duration = millis(10)..=10 * MINUTE,
    }

    /// `[link]`: the WebSockets of service instances.
    Link {
        /// Largest frame in either direction.
        message_size: ByteSize = size(KIB)..=size(64 * MIB),
        /// Time without a frame until the node pings; after twice that time it closes the link.
        heartbeat: Duration = SECOND..=10 * MINUTE,
        /// Publications of one link that may be unacknowledged.
        publishes_in_flight: u32 = 1..=65_536,
        /// Frames that may wait to be written to one link.
        queue_frames: usize = 16..=1_000_000,
        /// Limit of one service's links to this node.
        max_links: usize = 1..=100_000,
    }

    /// `[demo]`: the demo page.
    Demo {
        /// Whether the page is served, with tokens for everybody.
        enabled: bool,
    }

    /// `[drain]`: the end of the process.
    Drain {
        /// Time over which closes are spread.
        window: Duration = millis(0)..=HOUR,
        /// Time after which everything that is left is ended.
        deadline: Duration = millis(0)..=HOUR,
    }

    /// `[telemetry]`: logs, traces and metrics.
    Telemetry {
        /// Format of log lines.
        log_format: LogFormat,
        /// Filter of log lines.
        log_filter: String,
        /// Receiver of traces and metrics; empty: none.
        otlp_endpoint: String,
        /// Fraction of the traces begun here that are kept.
        sample_ratio: f64 = 0.0..=1.0,
        /// Name of this service in traces and metrics.
        service_name: String,
    }
}
