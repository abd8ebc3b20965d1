//! Brokers whose Redis does not answer, for tests without processes.

use super::fixtures::HOUR;
use crate::{
    broker::{Broker, RedisAddress, RedisBroker, RedisConfig},
    settings::Settings,
};
use tokio_util::sync::CancellationToken;

/// A broker that is not running, so all its commands wait.
pub fn silent_broker() -> Broker {
    let settings = Settings::from_toml("redis.url = \"redis://h:1\"").expect("values of the right type");
    let config = RedisConfig {
        address: RedisAddress::try_from(&settings.redis).expect("a good address"),
        prefix: "test".into(),
        node: "node-1".into(),
        lanes: 1,
        queue_commands: 16,
        batch_commands: 16,
        deadline: HOUR,
        connect_timeout: HOUR,
        response_timeout: HOUR,
        lease: HOUR,
        unsubscribe_delay: HOUR,
        canary_interval: HOUR,
        audit_duration: HOUR,
        idempotency_ttl: HOUR,
        position_ttl: HOUR,
        subscriptions_per_user: 1,
        queues: None,
    };
    Broker::Redis(RedisBroker::new(Vec::new(), config).expect("a good address"))
}

/// A broker that has stopped, so it refuses all commands at once.
pub async fn stopped_broker() -> Broker {
    let (broker, stop) = (silent_broker(), CancellationToken::new());
    stop.cancel();
    broker.run(stop).await;
    broker
}
