//! Builds the parts of a node from the settings.

use super::{observe, rates};
use crate::{
    auth::{ApiKeys, CurrentKeys, Hosts, Origins, Tokens, TrustedProxies},
    broker::{Broker, Mailbox, MemoryBroker, MemoryLimits, PresenceLimits, Reads, RedisAddress, RedisBroker, RedisConfig},
    cluster::{Cluster, ClusterTimings, Holds, NodeDescription, WatchedUsers},
    connection::ConnectionLimits,
    hub::{HubLimits, RecoveryMemoryLimits},
    ingest::{Ingest, IngestConfig},
    jwks::Fetchers,
    node::{ApiLimits, Health, Node, RevocationCounters},
    publish::{PublishLimits, Publisher},
    queues::{MemoryLimits as MemoryQueueLimits, MemoryQueues, QueueMonitor, QueueOperations, Queues},
    services::{ConnectGuard, GuardConfig, LinkLimits, QueueLimits, ServiceConfig, Services, TokenCheck},
    settings::{self, BrokerKind, NodeRole, Problems, Settings},
    telemetry::{Audit, Metrics, WorkerMetrics},
};
use gateway_core::{
    channel::{GapBufferBudget, Namespaces},
    model::{InvalidName, PageLimit, ServiceName, WorkerId},
    queue::QueueName,
    session::SessionConfig,
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

/// Maximum size of one history response in bytes. The first publication is always included.
const HISTORY_BYTES: usize = 1 << 20;

/// The parts from which both listeners are built.
pub(super) struct Parts {
    pub(super) node: Arc<Node>,
    pub(super) mailboxes: Vec<Arc<Mailbox>>,
    pub(super) metrics: Vec<Arc<WorkerMetrics>>,
    pub(super) reads: Arc<Reads>,
    pub(super) gap_buffers: Arc<GapBufferBudget>,
    pub(super) origins: Arc<Origins>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) proxies: Arc<TrustedProxies>,
    pub(super) key_fetchers: Fetchers,
    pub(super) hub: HubLimits,
    pub(super) connection: ConnectionLimits,
}

/// Builds all parts. `addresses` are those of the public listener, if there is one, and the internal listener.
pub(super) fn wire(settings: &Settings, addresses: (Option<SocketAddr>, SocketAddr), metrics: &Arc<Metrics>) -> Result<Parts, Problems> {
    let workers = workers(settings);
    let mailbox = || Arc::new(Mailbox::new(settings.fan_out.mailbox_entries, settings.fan_out.mailbox_bytes.bytes()));
    let mailboxes: Vec<_> = (0..workers).map(|_| mailbox()).collect();
    // The node itself has one more mailbox, after those of its workers.
    let inbox = mailbox();
    let broker = Arc::new(broker(settings, mailboxes.iter().chain([&inbox]).cloned().collect())?);
    let namespaces = Namespaces::from(settings);
    let name: Arc<str> = settings.node.name.as_str().into();
    let links = LinkLimits {
        message_size: settings.link.message_size.bytes(),
        reply_size: settings.connection.data_size.bytes(),
        publishes_in_flight: settings.link.publishes_in_flight,
        heartbeat: settings.link.heartbeat,
        queue: settings.link.queue_frames,
        ..LinkLimits::default()
    };
    let publish = PublishLimits {
        data: settings.connection.data_size.bytes(),
        tags: settings.publish.max_tags,
        tag_bytes: settings.publish.tag_bytes.bytes(),
    };
    let queue_store = Arc::new(queues(settings, &broker));
    let all_services = Services::new(services(settings)?, links)
        .with_metrics(metrics.clone())
        .with_guards(guards(settings))
        .with_event_limits((&settings.lifecycle).into())
        .with_kept_requests(settings.connection.header_bytes.bytes())
        .with_answers(broker.clone(), settings.idempotency.answer_size.bytes())
        .with_queues(queue_store.clone(), QueueLimits::new(settings));
    let publisher = Arc::new(Publisher::new(broker.clone(), namespaces.clone(), publish));
    let ingest = IngestConfig::new(settings).map(|config| Ingest::new(queue_store.clone(), publisher.clone(), config));
    let proxies = Arc::new(TrustedProxies::try_from(&settings.public)?);
    let node = Node {
        name: name.clone(),
        session_config: Arc::new(session_config(settings, namespaces)),
        stomp_config: Arc::new(settings.into()),
        publisher,
        ingest,
        cluster: cluster(settings, node_description(settings, &name, addresses), &mailboxes, &broker, inbox),
        broker,
        services: Arc::new(all_services),
        queues: QueueOperations::new(queue_store, queue_partitions(settings)),
        queue_monitor: QueueMonitor::default(),
        tokens: Tokens::try_from(settings)?,
        api_keys: CurrentKeys::new(ApiKeys::try_from(&settings.api_keys[..])?),
        addresses: rates::of_addresses(settings, &proxies),
        user_connections: rates::of_users_connections(settings),
        key_rates: rates::of_keys(settings),
        audit: Arc::new(Audit::new(settings.internal.audit_refusals)),
        api: api(settings),
        presence_limit: settings.presence.limit,
        // A token counts until its leeway has passed, and may be accepted so much before it would be too long.
        revocation_ttl: settings.tokens.revocation_ttl + 2 * settings.tokens.leeway,
        when_away: settings.tokens.when_away.into(),
        revocations: RevocationCounters::default(),
        history_bytes: HISTORY_BYTES,
        health: Health::default(),
        metrics: metrics.clone(),
    };
    let node = Arc::new(node);
    let reads = Reads::new(node.broker.clone(), settings.recovery.concurrent_reads, presence(settings));
    let gap_buffers = GapBufferBudget::new(settings.recovery.gap_buffer_bytes.bytes());
    observe::observe(metrics, &node, &mailboxes);
    observe::observe_recovery(metrics, &reads, &gap_buffers);
    let key_fetchers = Fetchers::new(settings, &node.tokens)?;
    observe::observe_proxies(metrics, &proxies);
    Ok(Parts {
        node,
        reads,
        gap_buffers,
        metrics: mailboxes.iter().map(|_| metrics.worker()).collect(),
        mailboxes,
        origins: Arc::new(Origins::try_from(&settings.public)?),
        hosts: Arc::new(Hosts::try_from(&settings.public)?),
        proxies,
        key_fetchers,
        hub: hub(settings),
        connection: connection(settings),
    })
}

/// Worker threads of the public listener.
pub(super) fn workers(settings: &Settings) -> usize {
    match settings.workers {
        _ if settings.node.role == NodeRole::Api => 0,
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(WorkerId::MAX),
        workers => workers,
    }
}

fn broker(settings: &Settings, mailboxes: Vec<Arc<Mailbox>>) -> Result<Broker, Problems> {
    match settings.broker.kind {
        BrokerKind::Memory => Ok(Broker::Memory(MemoryBroker::new(mailboxes, memory(settings)))),
        BrokerKind::Redis => {
            RedisBroker::new(mailboxes, redis(settings)?).map(Broker::Redis).map_err(|error| Problems::of("redis.url", error))
        }
    }
}

fn queues(settings: &Settings, broker: &Broker) -> Queues {
    if let Some(queues) = broker.queues() {
        return Queues::Redis(queues.clone());
    }
    let queues = &settings.queues;
    Queues::Memory(MemoryQueues::new(MemoryQueueLimits {
        lease: queues.lease,
        max_length: queues.max_length as usize,
        max_dead: queues.max_dead as usize,
        memory_bytes: queues.memory_bytes.bytes(),
    }))
}

/// The number of partitions of each queue.
/// The queues of the settings, each with its number of partitions.
pub(super) fn queue_partitions(settings: &Settings) -> BTreeMap<QueueName, u16> {
    let services = settings.services.iter().filter(|(_, it)| it.service.events == settings::Events::Queue);
    let of_services = services.filter_map(|(name, it)| Some((QueueName::Service(name.parse().ok()?), it.service.partitions)));
    let ingest = (!settings.ingest.channels.is_empty()).then_some((QueueName::Ingest, settings.ingest.partitions));
    of_services.chain(ingest).collect()
}

fn node_description(settings: &Settings, name: &Arc<str>, (public, internal): (Option<SocketAddr>, SocketAddr)) -> NodeDescription {
    let url = |set: &str, scheme, bound| match set {
        "" => format!("{scheme}://{bound}").into(),
        url => url.trim_end_matches('/').into(),
    };
    let scheme = |tls: &settings::Tls, plain, secure| if tls.pairs.is_empty() { plain } else { secure };
    let (ws, http) = (scheme(&settings.internal.tls, "ws", "wss"), scheme(&settings.public.tls, "http", "https"));
    NodeDescription {
        name: name.clone(),
        link: url(&settings.cluster.link_url, ws, internal),
        public: public.map_or_else(Box::default, |public| url(&settings.cluster.public_url, http, public)),
        shared: shared(settings),
    }
}

fn cluster(
    settings: &Settings,
    description: NodeDescription,
    workers: &[Arc<Mailbox>],
    broker: &Arc<Broker>,
    inbox: Arc<Mailbox>,
) -> Cluster {
    let watched_users = WatchedUsers::new(settings.limits.user.table);
    match settings.broker.kind {
        BrokerKind::Memory => {
            Cluster::single(description, workers.to_vec(), Holds::new(broker.clone(), settings.lifecycle.linger), watched_users)
        }
        BrokerKind::Redis => {
            let index = WorkerId::new(workers.len()).unwrap_or(WorkerId::FIRST);
            let times =
                ClusterTimings { lease: settings.cluster.lease, sweep: settings.cluster.sweep_interval, linger: settings.lifecycle.linger };
            let inbox = (inbox, index);
            Cluster::shared(description, workers.to_vec(), broker.clone(), inbox, Namespaces::from(settings), times, watched_users)
        }
    }
}

/// The settings that must be equal on all nodes. Otherwise the retention of a publication, or the partition of an event, would depend on the node that
/// accepted it.
fn shared(settings: &Settings) -> BTreeMap<String, String> {
    let history = |size: u32, ttl: Duration| format!("{size} for {ttl:?}");
    let named = settings
        .namespaces
        .iter()
        .map(|(name, channel)| (format!("namespaces.{name}.history"), history(channel.history_size, channel.history_ttl)));
    let (defaults, personal) = (&settings.channel_defaults, &settings.personal);
    let fixed = [
        ("channel_defaults.history".to_owned(), history(defaults.history_size, defaults.history_ttl)),
        ("personal.history".to_owned(), history(personal.history_size, personal.history_ttl)),
    ];
    let queues = settings.services.iter().filter(|(_, it)| it.service.events == settings::Events::Queue);
    // The key of an event chooses its partition, on every node the same.
    let queues = queues.map(|(name, it)| (format!("services.{name}.partitions"), format!("{} by CRC-16", it.service.partitions)));
    let has_ingest = !settings.ingest.channels.is_empty();
    let ingest = has_ingest.then(|| ("ingest.partitions".to_owned(), settings.ingest.partitions.to_string()));
    named.chain(fixed).chain(queues).chain(ingest).collect()
}

fn redis(settings: &Settings) -> Result<RedisConfig, Problems> {
    let redis = &settings.redis;
    Ok(RedisConfig {
        address: RedisAddress::try_from(redis)?,
        prefix: redis.prefix.clone(),
        node: settings.node.name.as_str().into(),
        lanes: redis.lanes,
        queue_commands: redis.queue_commands,
        batch_commands: redis.batch_commands,
        deadline: redis.deadline,
        connect_timeout: redis.connect_timeout,
        response_timeout: redis.response_timeout,
        lease: settings.cluster.lease,
        unsubscribe_delay: redis.unsubscribe_delay,
        canary_interval: redis.canary_interval,
        audit_duration: redis.audit_duration,
        idempotency_ttl: settings.idempotency.ttl,
        position_ttl: settings.broker.position_ttl,
        subscriptions_per_user: stored_per_user(settings),
        queues: (!queue_partitions(settings).is_empty()).then(|| settings.into()),
    })
}

/// The limit of stored subscriptions per user. It never exceeds the limit of a connection, which must hold them all.
fn stored_per_user(settings: &Settings) -> usize {
    settings.subscriptions.max_per_user.min(settings.connection.max_subscriptions)
}

fn memory(settings: &Settings) -> MemoryLimits {
    MemoryLimits {
        idempotency_ttl: settings.idempotency.ttl,
        idempotency_keys: settings.idempotency.max_keys,
        answers: settings.idempotency.max_answers,
        answers_bytes: settings.idempotency.answers_bytes.bytes(),
        producers: settings.broker.producers,
        history_bytes: settings.broker.history_bytes.bytes(),
        idle_channels: settings.broker.idle_channels,
        position_ttl: settings.broker.position_ttl,
        subscriptions_per_user: stored_per_user(settings),
        user_subscriptions: settings.subscriptions.max_total,
        revocations: settings.tokens.max_revoked_users,
    }
}

fn session_config(settings: &Settings, namespaces: Namespaces) -> SessionConfig {
    let connection = &settings.connection;
    SessionConfig {
        namespaces,
        node: settings.node.name.as_str().into(),
        connect_timeout: connection.connect_timeout,
        attach_timeout: settings.recovery.attach_timeout,
        ping_interval: connection.ping_interval,
        stream_ping_interval: settings.streams.heart_beat,
        pong_timeout: connection.pong_timeout,
        expiry_grace: connection.expiry_grace,
        max_subscriptions: connection.max_subscriptions,
        max_in_flight: connection.max_in_flight,
        history_limit: settings.history.limit,
        rates: rates::of_connections(settings),
        user_rates: rates::of_users(settings).map(Arc::new),
    }
}

fn presence(settings: &Settings) -> PresenceLimits {
    let presence = &settings.presence;
    PresenceLimits { shared_for: presence.shared_for, kept: presence.shared_entries, list: presence.limit }
}

fn hub(settings: &Settings) -> HubLimits {
    HubLimits {
        outbox_bytes: settings.connection.outbox_bytes.bytes(),
        worker_outbox_bytes: settings.connection.worker_outbox_bytes.bytes(),
        batch_bytes: settings.fan_out.batch_bytes.bytes(),
        slice: settings.fan_out.subscribers_per_turn,
        posted_bytes: settings.streams.queue_bytes.bytes(),
        attach_buffer: settings.recovery.attach_buffer,
        memory: RecoveryMemoryLimits {
            time: settings.recovery.memory_time,
            bytes: settings.recovery.memory_bytes.bytes(),
            channels: settings.recovery.memory_channels,
        },
        page: PageLimit { entries: settings.recovery.page_entries, bytes: settings.recovery.page_bytes.bytes() },
        resubscribes_per_second: settings.recovery.resubscribes_per_second,
        join_leave_max: settings.fan_out.join_leave_max,
        retry: Duration::from_millis(250),
    }
}

fn connection(settings: &Settings) -> ConnectionLimits {
    let connection = &settings.connection;
    let message_size = connection.message_size.bytes() as u32;
    ConnectionLimits {
        turn_bytes: connection.turn_bytes.bytes(),
        turn_messages: connection.turn_commands,
        turn_connects: connection.turn_connects,
        turn_continued: connection.turn_continued,
        turn_ends: connection.turn_ends,
        message_size,
        connect_size: message_size.min(settings.limits.connection.connect_size.bytes() as u32),
        work_bytes: settings.limits.worker.work_bytes.bytes(),
        message_timeout: connection.message_timeout,
        write_timeout: connection.write_timeout,
        close_timeout: connection.close_timeout,
    }
}

fn api(settings: &Settings) -> ApiLimits {
    let internal = &settings.internal;
    ApiLimits {
        body: internal.body_size.bytes(),
        batch: internal.batch_entries,
        broadcast: internal.broadcast,
        history: settings.history.limit,
        channels: internal.page_entries,
        ..ApiLimits::default()
    }
}

fn guards(settings: &Settings) -> GuardConfig {
    let tokens = match settings.connect.tokens {
        settings::TokenCheck::First => TokenCheck::First,
        settings::TokenCheck::Never => TokenCheck::Never,
    };
    GuardConfig {
        timeout: settings.guards.timeout,
        max_in_flight: settings.guards.max_in_flight,
        cache_entries: settings.guards.cache_entries,
        revocation_ttl: settings.tokens.revocation_ttl,
        connect: settings.connect.service.0.clone().map(|service| ConnectGuard { service, tokens }),
    }
}

fn services(settings: &Settings) -> Result<Vec<(ServiceName, ServiceConfig)>, Problems> {
    let each = |(key, service): (&String, &settings::RoutedService)| {
        let name = key.parse().map_err(|error: InvalidName| Problems::of(format!("services.{key}"), format!("the name {error}")))?;
        Ok((name, ServiceConfig::new(key, settings, service)?))
    };
    settings.services.iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::BreakerLimits;
    use crate::services::Interests;

    #[test]
    fn stored_subscriptions_always_fit_into_a_connection() {
        for (toml, stored) in [("", 100), ("[connection]\nmax_subscriptions = 100", 100), ("[connection]\nmax_subscriptions = 1", 1)] {
            let settings = Settings::from_toml(toml).expect("valid");
            assert_eq!(memory(&settings).subscriptions_per_user, stored, "{toml}");
            assert!(stored <= settings.connection.max_subscriptions);
        }
    }

    #[test]
    fn a_node_announces_its_configured_urls_and_by_default_its_bound_addresses() {
        let bound = ("127.0.0.1:8000".parse().ok(), "127.0.0.1:8001".parse().expect("an address"));
        for (toml, public, link) in [
            ("", "http://127.0.0.1:8000", "ws://127.0.0.1:8001"),
            (
                "[public.tls]\npairs = [{ cert_file = \"c\", key_file = \"k\" }]\n[internal.tls]\npairs = [{ cert_file = \"c\", key_file = \"k\" }]",
                "https://127.0.0.1:8000",
                "wss://127.0.0.1:8001",
            ),
            ("[cluster]\npublic_url = \"https://n1.example/\"\nlink_url = \"ws://n1:1/\"", "https://n1.example", "ws://n1:1"),
        ] {
            let description = node_description(&Settings::from_toml(toml).expect("valid"), &"n1".into(), bound);
            assert_eq!((&*description.public, &*description.link), (public, link), "{toml}");
        }
    }

    #[test]
    fn all_nodes_have_the_same_partitions_of_each_queue() {
        let toml = "[services.bot]\nevents = \"queue\"\npartitions = 7\n[services.shop]";
        let shared = shared(&Settings::from_toml(toml).expect("valid"));
        assert_eq!(shared.get("services.bot.partitions").map(String::as_str), Some("7 by CRC-16"));
        assert!(!shared.contains_key("services.shop.partitions"), "it has no queue");
        assert!(!shared.contains_key("ingest.partitions"), "it is off");
        let with_ingest = self::shared(&Settings::from_toml("[broker]\nkind = \"redis\"\n[ingest]\nchannels = [\"a\"]").expect("valid"));
        assert_eq!(with_ingest.get("ingest.partitions").map(String::as_str), Some("1"));
    }

    #[test]
    fn a_webhook_names_the_lifecycle_events_that_it_gets() {
        let found = |kinds: &str| {
            let toml = format!("[services.shop]\nreach = \"webhook\"\nurls = [\"http://h/\"]\nlifecycle_events = {kinds}");
            services(&Settings::from_toml(&toml).expect("valid")).map(|mut all| all.remove(0).1.lifecycle_events)
        };
        let kinds = ["vacated", "connected"].map(String::from);
        assert_eq!(found("[\"connected\", \"vacated\"]").expect("known"), Interests::parse(&kinds).expect("known"));
        let problems = found("[\"connected\", \"message\"]").expect_err("an unknown kind");
        let problem = problems.iter().next().expect("one");
        assert_eq!(problem.key, "services.shop.lifecycle_events");
        assert!(problem.message.ends_with("occupied, vacated; found \"message\""), "{}", problem.message);
    }

    #[test]
    fn limits_of_services_and_requests_come_from_the_settings() {
        let toml = "[internal]\nbatch_entries = 7\nbroadcast = 9\npage_entries = 8\n[services.bot]\norder_queue = 3\nbreaker_failures = 2\nbreaker_pause = \"9s\"";
        let settings = Settings::from_toml(toml).expect("valid");
        let (_, bot) = &services(&settings).expect("valid")[0];
        assert_eq!((bot.order_queue, bot.breaker), (3, BreakerLimits { failures: 2, open_for: Duration::from_secs(9) }));
        assert_eq!((api(&settings).batch, api(&settings).channels, api(&settings).broadcast), (7, 8, 9));
    }
}
