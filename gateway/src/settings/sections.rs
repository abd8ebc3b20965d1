//! Name, type and bounds of every setting. `config/default.toml` documents their meaning.

mod api_key;
mod ingest;
mod limits;
mod listeners;
mod queues;
mod services;
mod tokens;

pub use api_key::ApiKey;
pub use ingest::Ingest;
pub use limits::{Limits, Traffic};
pub use listeners::{Internal, Public, Tls, TlsPair};
pub use queues::Queues;
pub use services::Service;
pub use tokens::{TokenIssuer, Tokens};

use super::{
    reader::section,
    types::choices::{AllowedData, BrokerKind, Delta, Grant, LogFormat, NodeRole, SlowConsumer, TokenCheck, Unrecoverable, WhenAway},
    types::redis_url::RedisUrl,
    types::value::{ByteSize, GIB, KIB, MIB, ServiceRef},
};
use secrecy::SecretString;
use std::time::Duration;

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
    /// `[node]`: the name of this node.
    Node {
        /// Name of this node, unique in the cluster; visible to clients and services. Never empty: if the setting is empty, a name is made
        /// from the host's name.
        name: String,
        /// What this node does.
        role: NodeRole,
        /// Whether a crash may leave a core dump, which contains keys and tokens (Linux).
        core_dumps: bool,
    }

    /// `[connection]`: connections of frontends.
    Connection {
        /// Time from the upgrade to the connect command.
        connect_timeout: Duration = millis(100)..=5 * MINUTE,
        /// Time between pings.
        ping_interval: Duration = SECOND..=HOUR,
        /// Time for the answer to a ping.
        pong_timeout: Duration = SECOND..=10 * MINUTE,
        /// Time between the expiry of a token and the end of what it allows. A refresh may arrive within this time.
        expiry_grace: Duration = millis(0)..=HOUR,
        /// Largest message from a frontend.
        message_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Largest data of one publication, or of one message to a connection.
        data_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Longest time from the first byte of a message to its last.
        message_timeout: Duration = millis(100)..=5 * MINUTE,
        /// Number of bytes that a worker reads from one connection before it serves others.
        turn_bytes: ByteSize = size(KIB)..=size(MIB),
        /// Number of commands of one connection that a worker handles before it serves others.
        turn_commands: usize = 1..=10_000,
        /// Number of HTTP connections of the public listener that a worker serves before it serves others.
        turn_http: usize = 1..=10_000,
        /// Number of turns of connections that are not connected yet before a worker serves others.
        turn_connects: usize = 1..=10_000,
        /// Number of turns of connections that sent more than one turn handles, or had a large answer, before a worker serves others.
        turn_continued: usize = 1..=10_000,
        /// Number of connections that end before a worker serves others.
        turn_ends: usize = 1..=10_000,
        /// Memory of one connection's outbox.
        outbox_bytes: ByteSize = size(4 * KIB)..=size(256 * MIB),
        /// Memory of all outboxes of a worker together.
        worker_outbox_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
        /// Age of the oldest unsent byte at which the connection is closed.
        write_timeout: Duration = millis(100)..=10 * MINUTE,
        /// Longest time from the gateway's close frame to the client's; then the socket is closed.
        close_timeout: Duration = millis(100)..=MINUTE,
        /// Limit of subscriptions that a frontend makes itself. The same limit applies to the channels of its token.
        max_subscriptions: usize = 1..=100_000,
        /// Limit of operations in flight. At the limit the gateway does not read from the connection.
        max_in_flight: usize = 1..=10_000,
        /// Largest size of the headers and the address that the gateway keeps for services.
        header_bytes: ByteSize = size(64)..=size(16 * KIB),
    }

    /// `[streams]`: HTTP responses in place of WebSockets.
    Streams {
        /// Time between the pings or comments of a stream.
        heart_beat: Duration = SECOND..=MINUTE,
        /// Limit of the bytes of commands that wait for the session of one stream.
        queue_bytes: ByteSize = size(KIB)..=size(256 * MIB),
        /// How long an EventSource waits before it connects again.
        retry: Duration = millis(100)..=HOUR,
    }

    /// `[fan_out]`: delivery from the broker to the subscribers.
    FanOut {
        /// Approximate size of a batch of publications of one channel.
        batch_bytes: ByteSize = size(KIB)..=size(16 * MIB),
        /// Number of subscribers of a channel that a worker serves before it does other work.
        subscribers_per_turn: usize = 1..=100_000,
        /// Limit of deliveries that wait for a worker.
        mailbox_entries: usize = 64..=16_777_216,
        /// Limit of the bytes of deliveries that wait for a worker.
        mailbox_bytes: ByteSize = size(MIB)..=size(64 * GIB),
        /// Above this number of subscribers a channel sends no joins and leaves.
        join_leave_max: usize = 0..=1_000_000,
    }

    /// `[recovery]`: reads of missed publications.
    Recovery {
        /// Largest number of publications in one page.
        page_entries: usize = 1..=10_000,
        /// Largest number of bytes in one page. The first publication may be larger.
        page_bytes: ByteSize = size(KIB)..=size(16 * MIB),
        /// Longest time for one subscribe command, or for a whole connect.
        attach_timeout: Duration = millis(100)..=MINUTE,
        /// Limit of deliveries that wait for one subscriber while its subscribe command is in progress.
        attach_buffer: usize = 16..=1_000_000,
        /// Limit of the bytes of publications that wait until a gap before them is read, for all workers together.
        gap_buffer_bytes: ByteSize = size(KIB)..=size(64 * GIB),
        /// Limit of concurrent reads of gaps, for all workers together.
        concurrent_reads: usize = 1..=10_000,
        /// Limit of subscriptions that one worker ends per second when a store begins a new epoch or has lost publications.
        resubscribes_per_second: usize = 1..=1_000_000,
        /// How long a worker keeps publications, and channels without subscribers, for clients that return.
        memory_time: Duration = Duration::ZERO..=MINUTE * 2,
        /// Limit of the bytes of publications that one worker keeps for clients that return.
        memory_bytes: ByteSize = size(KIB)..=size(64 * GIB),
        /// Limit of channels without subscribers that one worker keeps.
        memory_channels: usize = 0..=1_000_000,
    }

    /// `[publish]`: tags of publications.
    Publish {
        /// Largest number of tags of a publication.
        max_tags: usize = 0..=1000,
        /// Largest size of all keys and values of the tags together.
        tag_bytes: ByteSize = size(0)..=size(64 * KIB),
    }

    /// `[history]`: limits of answers with history.
    History {
        /// Largest number of publications in one answer.
        limit: usize = 1..=100_000,
    }

    /// `[presence]`: limits of answers with presence.
    Presence {
        /// Largest number of entries in one answer.
        limit: usize = 1..=1_000_000,
        /// How long frontends share the answer about a channel. Zero: not at all.
        shared_for: Duration = Duration::ZERO..=MINUTE,
        /// Limit of the entries of all shared answers together.
        shared_entries: usize = 1..=100_000_000,
    }

    /// `[subscriptions]`: subscriptions that services make for users.
    Subscriptions {
        /// Limit for one user. If [`Connection::max_subscriptions`] is lower, that limit applies.
        max_per_user: usize = 1..=100_000,
        /// Limit for all users together (memory broker only).
        max_total: usize = 1..=100_000_000,
    }

    /// `[idempotency]`: idempotency keys of publishes and calls.
    Idempotency {
        /// How long the key of a publish and the answer to a call are remembered.
        ttl: Duration = SECOND..=7 * DAY,
        /// Limit of the keys that this node remembers (memory broker only).
        max_keys: usize = 1..=100_000_000,
        /// Largest answer to a call that is kept.
        answer_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Limit of the calls with a key that this node remembers (memory broker only).
        max_answers: usize = 1..=100_000_000,
        /// Limit of the bytes of all answers together (memory broker only).
        answers_bytes: ByteSize = size(64 * KIB)..=size(64 * GIB),
    }

    /// `[broker]`: where publications are kept.
    Broker {
        /// Which broker the node uses.
        kind: BrokerKind,
        /// Limit of the bytes of all histories together (memory broker only).
        history_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
        /// Limit of idle channels whose position is remembered (memory broker only).
        idle_channels: usize = 1..=100_000_000,
        /// Limit of producers whose numbers are remembered (memory broker only).
        producers: usize = 1..=100_000_000,
        /// How long a position is remembered after the last publication expired.
        position_ttl: Duration = MINUTE..=3650 * DAY,
    }

    /// `[redis]`: the Redis broker.
    Redis {
        /// Address of Redis. It may contain passwords, so it is never logged.
        url: RedisUrl,
        /// PEM file with the authorities that sign the certificates of Redis. Empty: the authorities that this machine trusts.
        ca_file: String,
        /// PEM file with the gateway's certificate. Empty: the gateway sends none.
        cert_file: String,
        /// PEM file with the key of the gateway's certificate.
        key_file: String,
        /// User for sentinels; empty: the default user.
        sentinel_user: String,
        /// Password for sentinels; empty: none.
        sentinel_password: SecretString,
        /// Prefix of all keys.
        prefix: String,
        /// Number of connections for publishes to each server. The same number is used for reads.
        lanes: usize = 1..=64,
        /// Limit of commands that wait for each of these connections. With several servers, the connections to all of them share it.
        queue_commands: usize = 16..=1_000_000,
        /// Largest number of commands that are sent together.
        batch_commands: usize = 1..=10_000,
        /// Longest time for a command, from its arrival to its answer.
        deadline: Duration = millis(500)..=MINUTE,
        /// Longest time to open a connection.
        connect_timeout: Duration = millis(100)..=MINUTE,
        /// Longest time for an answer. Without one the connection counts as broken.
        response_timeout: Duration = millis(100)..=MINUTE,
        /// How long a channel without subscribers stays subscribed in Redis.
        unsubscribe_delay: Duration = millis(0)..=10 * MINUTE,
        /// Time between canaries.
        canary_interval: Duration = millis(100)..=MINUTE,
        /// Time in which the audit checks every channel with a history once.
        audit_duration: Duration = SECOND..=HOUR,
    }

    /// `[cluster]`: the nodes that share a store.
    Cluster {
        /// A node that does not renew its lease within this time counts as dead.
        lease: Duration = SECOND..=10 * MINUTE,
        /// Time between sweeps of presence.
        sweep_interval: Duration = SECOND..=7 * DAY,
        /// Address at which services reach this node's internal listener. Empty: `internal.address`.
        link_url: String,
        /// Address at which browsers reach this node's public listener. Empty: `public.address`.
        public_url: String,
    }

    /// `[personal]`: options of the channels `#user`. Nobody but the user is subscribed to them.
    Personal {
        /// Number of newest publications that are kept; 0: none.
        history_size: u32 = 0..=1_000_000,
        /// How long the history is kept after the last publication.
        history_ttl: Duration = SECOND..=365 * DAY,
        /// Whether the gateway records the connections on which the user is subscribed.
        presence: bool,
        /// Whether these connections get joins and leaves.
        join_leave: bool,
        /// Whether the user may publish.
        publish: Grant,
        /// Whether the user may see presence.
        see_presence: Grant,
        /// Whether the user may read the history.
        see_history: Grant,
        /// What publications may carry.
        data: AllowedData,
        /// See [`SlowConsumer`].
        slow_consumer: SlowConsumer,
        /// See [`Unrecoverable`].
        unrecoverable: Unrecoverable,
        /// Whether services get `occupied` and `vacated`, and `unsubscribed` at least once.
        lifecycle: bool,
    }

    /// `[channel_defaults]`, `[namespaces.X]`: options of channels.
    Channel {
        /// Number of newest publications that are kept; 0: none.
        history_size: u32 = 0..=1_000_000,
        /// How long the history is kept after the last publication.
        history_ttl: Duration = SECOND..=365 * DAY,
        /// Whether the gateway records who is subscribed.
        presence: bool,
        /// Whether subscribers get joins and leaves.
        join_leave: bool,
        /// Who may subscribe.
        subscribe: Grant,
        /// Who may publish.
        publish: Grant,
        /// Who may see presence.
        see_presence: Grant,
        /// Who may read the history.
        see_history: Grant,
        /// What publications may carry.
        data: AllowedData,
        /// See [`SlowConsumer`].
        slow_consumer: SlowConsumer,
        /// Which deltas frontends may ask for; see [`Delta`].
        delta: Delta,
        /// Whether frontends may ask for publications by their tags.
        tags_filter: bool,
        /// See [`Unrecoverable`].
        unrecoverable: Unrecoverable,
        /// Whether services get `occupied` and `vacated`, and `unsubscribed` at least once.
        lifecycle: bool,
        /// The service that is asked before a frontend subscribes without a token.
        subscribe_via: ServiceRef,
        /// The service that is asked before a frontend publishes.
        publish_via: ServiceRef,
        /// What happens if that service is away.
        when_away: WhenAway,
    }

    /// `[connect]`: who decides about connections.
    Connect {
        /// The service that is asked who a connection is.
        service: ServiceRef,
        /// Who checks the tokens.
        tokens: TokenCheck,
    }

    /// `[guards]`: questions to the services that decide.
    Guards {
        /// Longest time for an answer.
        timeout: Duration = millis(10)..=MINUTE,
        /// Limit of questions to one service that wait or are in flight.
        max_in_flight: usize = 1..=1_000_000,
        /// Limit of remembered answers of each kind.
        cache_entries: usize = 1..=10_000_000,
    }

    /// `[link]`: the WebSockets of service instances.
    Link {
        /// Largest frame in either direction.
        message_size: ByteSize = size(KIB)..=size(64 * MIB),
        /// Time without a frame after which the node sends a ping. After twice this time it closes the link.
        heartbeat: Duration = SECOND..=10 * MINUTE,
        /// Limit of unacknowledged publications of one link.
        publishes_in_flight: u32 = 1..=65_536,
        /// Limit of frames that wait to be written to one link.
        queue_frames: usize = 16..=1_000_000,
        /// Limit of links of one service to this node, and half the limit of its instances that an operator drains.
        max_links: usize = 1..=100_000,
    }

    /// `[webhook]`: requests to services that are reached by HTTP.
    Webhook {
        /// Addresses to which the gateway does not connect: networks, addresses, or the words `special` and `private`.
        deny: Vec<String>,
        /// Longest time to open a connection.
        connect_timeout: Duration = millis(10)..=MINUTE,
        /// How long an idle connection is kept.
        keep_alive: Duration = millis(100)..=10 * MINUTE,
    }

    /// `[lifecycle]`: lifecycle events for services.
    Lifecycle {
        /// Limit of events that wait for one service, and of `vacated` that wait until a service wants them.
        queue_events: usize = 100..=10_000_000,
        /// How long an event waits until the service takes it.
        event_ttl: Duration = SECOND..=DAY,
        /// Largest number of events in one request to a webhook.
        batch_events: usize = 1..=1000,
        /// How long an event waits for others that go in the same request.
        batch_delay: Duration = millis(0)..=MINUTE,
        /// How long a channel is empty before `vacated`.
        linger: Duration = millis(0)..=10 * MINUTE,
    }

    /// `[demo]`: the demo page.
    Demo {
        /// Whether the gateway serves the page, and tokens for everybody who asks.
        enabled: bool,
        /// Users that get no token, in any case of their letters.
        reserved_names: Vec<String>,
    }

    /// `[drain]`: the end of the process.
    Drain {
        /// Time between "not ready" and the drain, in which the gateway still takes connections.
        delay: Duration = millis(0)..=HOUR,
        /// Time over which the gateway spreads the closes of all connections.
        window: Duration = millis(0)..=HOUR,
        /// Time after which the gateway ends everything that is left, from the begin of the drain.
        deadline: Duration = millis(0)..=HOUR,
    }

    /// `[telemetry]`: logs, traces and metrics.
    Telemetry {
        /// Format of log lines.
        log_format: LogFormat,
        /// Which log lines are written.
        log_filter: String,
        /// Address to which the gateway sends traces and metrics. Empty: none.
        otlp_endpoint: String,
        /// Fraction of the traces that begin at this gateway and are kept.
        sample_ratio: f64 = 0.0..=1.0,
        /// Name of this service in traces and metrics.
        service_name: String,
    }
}
