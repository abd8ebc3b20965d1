//! Every setting: its name, type and bounds. What each is for stands in `config/default.toml`, which has them all.

use super::{
    reader::section,
    redis_url::RedisUrl,
    value::{ByteSize, GIB, KIB, MIB, choice},
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

choice! {
    /// Where publications live.
    BrokerKind {
        /// In this process: one node only.
        Memory = "memory",
        /// In a Redis that the nodes of a cluster share.
        Redis = "redis",
    } "\"memory\" or \"redis\"";

    /// Who may do something in a channel. A service may always.
    Grant {
        /// No frontend.
        Nobody = "nobody",
        /// Who has a subscription token for the channel.
        Token = "token",
        /// Who is subscribed.
        Subscriber = "subscriber",
        /// Who is not anonymous.
        Authenticated = "authenticated",
        /// Everyone.
        Anyone = "anyone",
    } "\"nobody\", \"token\", \"subscriber\", \"authenticated\" or \"anyone\"";

    /// What happens to a subscriber that reads too slowly.
    SlowConsumer {
        /// Closed with 3008; it reconnects and recovers.
        Disconnect = "disconnect",
        /// Keeps only the newest publication per channel.
        Latest = "latest",
    } "\"disconnect\" or \"latest\"";

    /// How a service is reached.
    Reach {
        /// Over the WebSockets that its instances hold open to the gateway.
        Link = "link",
        /// By HTTP requests to it.
        Webhook = "webhook",
        /// Through a queue that it reads.
        Queue = "queue",
    } "\"link\", \"webhook\" or \"queue\"";

    /// Which calls of a service keep their order.
    CallOrder {
        /// Those of one connection.
        Connection = "connection",
        /// None.
        None = "none",
    } "\"connection\" or \"none\"";

    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object in a line.
        Json = "json",
    } "\"text\" or \"json\"";
}

section! {
    /// `[node]`: this process.
    Node {
        /// Unique in the cluster; told to clients and services. Never empty here: made from the host's name where not set.
        name: String,
    }

    /// `[public]`: the listener for frontends.
    Public {
        /// Where it listens.
        address: SocketAddr,
        /// Origins of pages that may connect; empty: the gateway's own only.
        allowed_origins: Vec<String>,
        /// Connections of this node at most; more get 503.
        max_connections: usize = 1..=10_000_000,
        /// Those that speak HTTP, or are about to be upgraded.
        http_connections: usize = 1..=1_000_000,
        /// For a request's head to come.
        request_timeout: Duration = millis(100)..=MINUTE,
        /// Between requests.
        keep_alive: Duration = SECOND..=10 * MINUTE,
        /// Told to those who are refused for want of room.
        retry_after: Duration = SECOND..=HOUR,
    }

    /// `[internal]`: the listener for services and operators.
    Internal {
        /// Where it listens.
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
        batch: usize = 1..=100_000,
        /// Channels in one answer.
        page: usize = 1..=100_000,
    }

    /// `[connection]`: one frontend's connection.
    Connection {
        /// From the upgrade to the connect command.
        connect_timeout: Duration = millis(100)..=5 * MINUTE,
        /// Between pings.
        ping_interval: Duration = SECOND..=HOUR,
        /// For the answer to a ping.
        pong_timeout: Duration = SECOND..=10 * MINUTE,
        /// After a token's expiry, for the refresh to arrive.
        expiry_grace: Duration = millis(0)..=HOUR,
        /// Largest message that a frontend may send.
        message_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Largest data that a frontend is sent at once.
        data_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// From the first byte of a message to its last.
        message_timeout: Duration = millis(100)..=5 * MINUTE,
        /// Bytes read in one turn.
        turn_bytes: ByteSize = size(KIB)..=size(MIB),
        /// Commands handled in one turn.
        turn_commands: usize = 1..=10_000,
        /// Memory for what waits for one connection to take it.
        outbox_bytes: ByteSize = size(4 * KIB)..=size(256 * MIB),
        /// What may wait for all connections of a worker.
        worker_outbox_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
        /// Age of the oldest byte that waits.
        write_timeout: Duration = millis(100)..=10 * MINUTE,
        /// From our Close to the end of the socket.
        close_timeout: Duration = millis(100)..=MINUTE,
        /// Subscriptions at most.
        max_subscriptions: usize = 1..=100_000,
        /// Operations in flight at most; beyond it the connection is not read.
        max_in_flight: usize = 1..=10_000,
    }

    /// `[fan_out]`: from the broker to the subscribers.
    FanOut {
        /// Publications of a channel that are encoded as one batch.
        batch_bytes: ByteSize = size(KIB)..=size(16 * MIB),
        /// Subscribers served before others get their turn.
        slice: usize = 1..=100_000,
        /// Deliveries that may wait for a worker.
        mailbox_entries: usize = 64..=16_777_216,
        /// Their bytes.
        mailbox_bytes: ByteSize = size(MIB)..=size(64 * GIB),
        /// Subscribers above which joins and leaves are no longer told.
        join_leave_max: usize = 0..=1_000_000,
    }

    /// `[recovery]`: catching up with what was missed.
    Recovery {
        /// Publications of one page.
        page_entries: usize = 1..=10_000,
        /// Bytes of one page; the first publication comes whatever its size.
        page_bytes: ByteSize = size(KIB)..=size(16 * MIB),
        /// For one attach, from the subscribe command to its answer.
        attach_timeout: Duration = millis(100)..=MINUTE,
        /// Deliveries held back for one attaching subscriber.
        attach_buffer: usize = 16..=1_000_000,
        /// Bytes of publications that all workers hold back while a gap before them is read.
        hold_bytes: ByteSize = size(KIB)..=size(64 * GIB),
        /// Reads of missing ranges that run at a time.
        backfills: usize = 1..=10_000,
        /// Subscriptions of a worker that are told within a second that they have to begin anew.
        restarts: usize = 1..=1_000_000,
    }

    /// `[publish]`: what comes beside the data of a publication.
    Publish {
        /// Tags of a publication.
        tags: usize = 0..=1000,
        /// Bytes of all their keys and values.
        tag_bytes: ByteSize = size(0)..=size(64 * KIB),
    }

    /// `[history]`: reading a stream.
    History {
        /// Publications in one answer.
        limit: usize = 1..=100_000,
    }

    /// `[presence]`: who is there.
    Presence {
        /// Entries in one answer.
        limit: usize = 1..=1_000_000,
    }

    /// `[subscriptions]`: what services make for users.
    Subscriptions {
        /// Of one user; always fewer than [`Connection::max_subscriptions`].
        per_user: usize = 1..=100_000,
        /// Of all users together.
        total: usize = 1..=100_000_000,
    }

    /// `[idempotency]`: repeated publishes.
    Idempotency {
        /// How long a key is remembered.
        ttl: Duration = SECOND..=7 * DAY,
        /// Keys that this node remembers.
        keys: usize = 1..=100_000_000,
    }

    /// `[broker]`: where publications live.
    Broker {
        /// Which one.
        kind: BrokerKind,
        /// All histories together (memory).
        history_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
        /// Idle channels whose position is remembered (memory).
        idle_channels: usize = 1..=100_000_000,
        /// How long it is remembered after the last publication expired.
        meta_ttl: Duration = MINUTE..=3650 * DAY,
    }

    /// `[redis]`: for the broker of that kind.
    Redis {
        /// Where it is. Secret, as it may hold passwords.
        url: RedisUrl,
        /// The authorities that vouch for its certificates, in PEM; empty: those that the machine trusts.
        ca_file: String,
        /// The certificate that it gets to see, in PEM; empty: none.
        cert_file: String,
        /// The key to that, in PEM.
        key_file: String,
        /// The user at the sentinels; empty: the default one.
        sentinel_user: String,
        /// The password at the sentinels; empty: none is needed.
        sentinel_password: SecretString,
        /// Ahead of all keys.
        prefix: String,
        /// Connections for publishes, and as many for reads.
        lanes: usize = 1..=64,
        /// Commands that wait for each connection.
        queue: usize = 16..=1_000_000,
        /// Commands that are sent together.
        batch: usize = 1..=10_000,
        /// For a command, from when it came to its answer.
        deadline: Duration = millis(500)..=MINUTE,
        /// For a connection to be made.
        connect_timeout: Duration = millis(100)..=MINUTE,
        /// For an answer; without one the connection counts as broken.
        response_timeout: Duration = millis(100)..=MINUTE,
        /// How long a channel stays subscribed that nobody needs any more.
        linger: Duration = millis(0)..=10 * MINUTE,
        /// Between two looks at whether subscriptions still deliver.
        canary: Duration = millis(100)..=MINUTE,
        /// For a round through all channels that looks for what was lost.
        audit: Duration = SECOND..=HOUR,
    }

    /// `[cluster]`: the nodes that share a store.
    Cluster {
        /// A node that has not been heard of for so long is dead.
        lease: Duration = SECOND..=10 * MINUTE,
        /// Between two rounds of the nodes through all who are present.
        sweep: Duration = SECOND..=7 * DAY,
        /// How long the disconnects of a dead node wait for services to take them.
        disconnects_wait: Duration = SECOND..=DAY,
        /// Where services reach this node's internal listener; empty: at its address.
        link_url: String,
        /// Where frontends reach this node's public listener; empty: at its address.
        public_url: String,
    }

    /// `[tokens]`: who frontends are.
    Tokens {
        /// The key of HS256 tokens; empty: none is accepted.
        hmac_secret: SecretString,
        /// Whether a connection may come without a token.
        anonymous: bool,
        /// What `aud` must hold; empty: not looked at.
        audience: String,
        /// What `iss` must be; empty: not looked at.
        issuer: String,
        /// For clocks that differ.
        leeway: Duration = millis(0)..=5 * MINUTE,
        /// How long it is remembered that a user's tokens were revoked.
        revocation_ttl: Duration = MINUTE..=365 * DAY,
        /// Users of whom that is remembered (memory).
        revocations: usize = 1..=100_000_000,
    }

    /// `[[api_keys]]`: what services show.
    ApiKey {
        /// In logs and metrics.
        name: String,
        /// What is sent as `Authorization: Bearer`.
        key: SecretString,
    }

    /// `[personal]`: what the channels `#user` can do. Nobody but the user ever subscribes.
    Personal {
        /// Newest publications that are kept; 0: none.
        history_size: u32 = 0..=1_000_000,
        /// How long, after the last publication.
        history_ttl: Duration = SECOND..=365 * DAY,
        /// Whether it is known on which connections the user is there.
        presence: bool,
        /// Whether they are told of joins and leaves.
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

    /// `[channel_defaults]`, `[namespaces.X]`: what channels can do.
    Channel {
        /// Newest publications that are kept; 0: none.
        history_size: u32 = 0..=1_000_000,
        /// How long, after the last publication.
        history_ttl: Duration = SECOND..=365 * DAY,
        /// Whether it is known who is there.
        presence: bool,
        /// Whether joins and leaves are told.
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
        /// How it is reached.
        reach: Reach,
        /// For the answer to one call.
        call_timeout: Duration = millis(10)..=10 * MINUTE,
        /// Calls under way at this node, at most.
        max_in_flight: usize = 1..=1_000_000,
        /// Which calls keep their order.
        order: CallOrder,
        /// Calls that may wait for the one before them, per connection.
        order_queue: usize = 1..=10_000,
        /// Timeouts and lost links in a row after which an instance is left alone.
        breaker_failures: u32 = 1..=1_000_000,
        /// For how long.
        breaker_pause: Duration = millis(10)..=10 * MINUTE,
    }

    /// `[link]`: the WebSockets of service instances.
    Link {
        /// Largest frame in either direction.
        message_size: ByteSize = size(KIB)..=size(64 * MIB),
        /// Silence after which the node pings, and after two of which it closes the link.
        heartbeat: Duration = SECOND..=10 * MINUTE,
        /// Publications of a link that may be unacknowledged.
        publishes_in_flight: u32 = 1..=65_536,
        /// Frames that may wait to be written to a link.
        queue: usize = 16..=1_000_000,
        /// Links of one service to this node at most.
        max_links: usize = 1..=100_000,
    }

    /// `[demo]`: the demo page.
    Demo {
        /// Serve it, and give a token to whoever asks.
        enabled: bool,
    }

    /// `[drain]`: the end of the process.
    Drain {
        /// Over which closes are spread.
        window: Duration = millis(0)..=HOUR,
        /// After which everything is cut.
        deadline: Duration = millis(0)..=HOUR,
    }

    /// `[telemetry]`: what is told about the process.
    Telemetry {
        /// How log lines are written.
        log_format: LogFormat,
        /// Which log lines are written.
        log_filter: String,
        /// Where traces and metrics are sent; empty: nowhere.
        otlp_endpoint: String,
        /// Share of traces begun here that are kept.
        sample_ratio: f64 = 0.0..=1.0,
        /// Name of this service in telemetry.
        service_name: String,
    }
}
