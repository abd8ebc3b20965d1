//! Brokers for tests, and checks of their state.

use gateway::{
    broker::{Broker, BrokerError, Mailbox, Readiness, RedisAddress, RedisBroker, RedisConfig, RedisQueues, RedisQueuesConfig},
    settings::Settings,
    testing::{
        contract::{BrokerFixture, queues::QueueFixture},
        fixtures::{channel, kept},
    },
};
use gateway_core::model::{Position, Retention};
use redis_testing::{Login, Server};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The configuration of a broker with short times, so that tests do not wait long.
pub(super) fn config(url: String) -> RedisConfig {
    config_of(&format!("url = {url:?}"))
}

/// The same configuration, from all settings of `[redis]`.
pub(super) fn config_of(redis: &str) -> RedisConfig {
    let settings = Settings::from_toml(&format!("[redis]\n{redis}")).expect("values of the right type");
    RedisConfig {
        address: RedisAddress::try_from(&settings.redis).expect("a good address"),
        prefix: "test".into(),
        node: "node-1".into(),
        lanes: 2,
        queue_commands: 1024,
        batch_commands: 128,
        deadline: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_secs(1),
        lease: Duration::from_secs(1),
        unsubscribe_delay: Duration::from_millis(500),
        canary_interval: Duration::from_millis(200),
        audit_duration: Duration::from_secs(5),
        idempotency_ttl: Duration::from_secs(3),
        position_ttl: HOUR,
        subscriptions_per_user: 128,
        queues: None,
    }
}

pub(super) const HOUR: Duration = Duration::from_hours(1);

pub(super) fn mailboxes() -> Vec<Arc<Mailbox>> {
    (0..2).map(|_| Arc::new(Mailbox::new(1024, 1 << 24))).collect()
}

/// Limits of queues with which the contract ends soon.
pub(super) const QUEUES: RedisQueuesConfig = RedisQueuesConfig {
    lease: Duration::from_secs(3),
    max_length: 30,
    max_dead: 3,
    max_ingest_dead: 3,
    replicas: 0,
    replica_timeout: Duration::from_millis(300),
};

/// The configuration of a broker with queues.
pub(super) fn with_queues(config: RedisConfig) -> RedisConfig {
    RedisConfig { queues: Some(QUEUES), ..config }
}

/// A store of queues, which runs until the fixture is dropped.
pub(super) fn queues_of(config: RedisConfig, keep: impl std::any::Any + Send + Sync) -> QueueFixture<RedisQueues> {
    let (id_ttl, limits) = (2 * config.deadline, config.queues.expect("with queues"));
    let (broker, guard) = start(config, mailboxes());
    QueueFixture {
        store: broker.queues().expect("with queues").clone(),
        max_length: limits.max_length.into(),
        max_dead: limits.max_dead.into(),
        id_ttl,
        pass: |time| Box::pin(tokio::time::sleep(time)),
        keep: Box::new((broker, keep, guard)),
    }
}

/// Starts a broker. It stops when the guard is dropped.
pub(super) fn start(config: RedisConfig, mailboxes: Vec<Arc<Mailbox>>) -> (Arc<Broker>, DropGuard) {
    let broker = Arc::new(Broker::Redis(RedisBroker::new(mailboxes, config).expect("a good address")));
    let stop = CancellationToken::new();
    tokio::spawn({
        let (broker, stop) = (broker.clone(), stop.clone());
        async move { broker.run(stop).await }
    });
    (broker, stop.drop_guard())
}

/// The rights that docs/redis.md lists, with the prefix of the tests.
pub(super) const DOCUMENTED: [&str; 14] = [
    "~test:*",
    "resetchannels",
    "&test:*",
    "+@read",
    "+@write",
    "+@scripting",
    "+@pubsub",
    "+@connection",
    "+info",
    "+time",
    "-flushall",
    "-flushdb",
    "-swapdb",
    "-migrate",
];

/// Gives the user the rights on all keys of the gateway except `without`.
pub(super) async fn allow_keys(server: &Server, without: &str) {
    let all = [
        "{*",
        "assignment",
        "call:*",
        "canary:*",
        "ingest:*",
        "names:*",
        "node:*",
        "probe:*",
        "queue:*",
        "revoked:*",
        "user:*",
        "writes:*",
    ];
    let patterns: Vec<_> = all.into_iter().filter(|keys| *keys != without).map(|keys| format!("~test:{keys}")).collect();
    let command = ["ACL", "SETUSER", &login().user, "resetkeys"];
    server.command(&command.into_iter().chain(patterns.iter().map(AsRef::as_ref)).collect::<Vec<_>>()).await;
}

pub(super) fn login() -> Login {
    Login::new("gateway", "secret")
}

pub(super) fn fixture_of(url: String, keep: impl std::any::Any + Send + Sync) -> BrokerFixture {
    let config = config(url);
    let (mailboxes, idempotency_ttl) = (mailboxes(), config.idempotency_ttl);
    let (broker, guard) = start(config, mailboxes.clone());
    BrokerFixture { broker, mailboxes, idempotency_ttl, pass: |time| Box::pin(tokio::time::sleep(time)), keep: Box::new((keep, guard)) }
}

/// A retention that keeps everything that a test publishes.
pub(super) const KEEP: Retention = Retention { size: 100_000, ttl: HOUR };

/// Waits until `holds` returns true.
pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = timeout(Duration::from_secs(20), async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

pub(super) async fn ready(broker: &Broker) {
    eventually("the broker is ready", || broker.readiness() == Readiness::Ready).await;
}

/// Waits until the broker is not ready, with a reason that contains `says`.
pub(super) async fn not_ready(broker: &Broker, says: &str) {
    let mut said = Readiness::Ready;
    let waited = timeout(Duration::from_secs(20), async {
        while !matches!(&said, Readiness::NotReady(why) if why.contains(says)) {
            sleep(Duration::from_millis(5)).await;
            said = broker.readiness();
        }
    });
    let is_as_expected = waited.await.is_ok();
    assert!(is_as_expected, "expected {says:?}, found {said:?}");
}

pub(super) async fn publish(broker: &Broker, name: &str, number: u64) -> Result<Position, BrokerError> {
    broker.publish(&channel(name), kept(number, KEEP)).await.map(|published| published.position.expect("kept"))
}
