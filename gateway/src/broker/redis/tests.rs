mod cluster;
mod faults;
mod lists;
mod nodes;
mod rights;
mod ring;
mod sentinels;
mod tls;
mod wire;

use super::*;
use crate::broker::{
    Broker, Mailbox,
    contract::{Bed, contract},
};
use crate::settings::Settings;
use redis_testing::{Login, SentinelOptions, Sentinels, Server};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Short times, so that tests need not wait long.
pub(super) fn config(url: String) -> RedisConfig {
    config_of(&format!("url = {url:?}"))
}

/// The same, with more in `[redis]` than a URL.
fn config_of(redis: &str) -> RedisConfig {
    let settings = Settings::from_toml(&format!("[redis]\n{redis}")).expect("values of the right type");
    RedisConfig {
        address: Address::try_from(&settings.redis).expect("a good address"),
        prefix: "test".into(),
        node: "node-1".into(),
        lanes: 2,
        queue: 1024,
        batch: 128,
        deadline: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_secs(1),
        lease: Duration::from_secs(1),
        linger: Duration::from_millis(500),
        canary: Duration::from_millis(200),
        audit: Duration::from_secs(5),
        idempotency_ttl: Duration::from_secs(3),
        meta_ttl: HOUR,
        subscriptions_per_user: 128,
    }
}

const HOUR: Duration = Duration::from_hours(1);

fn mailboxes() -> Vec<Arc<Mailbox>> {
    (0..2).map(|_| Arc::new(Mailbox::new(1024, 1 << 24))).collect()
}

/// Starts a broker; it stops with the guard.
fn start(config: RedisConfig, mailboxes: Vec<Arc<Mailbox>>) -> (Arc<Broker>, DropGuard) {
    let broker = Arc::new(Broker::Redis(RedisBroker::new(mailboxes, config).expect("a good address")));
    let stop = CancellationToken::new();
    tokio::spawn({
        let (broker, stop) = (broker.clone(), stop.clone());
        async move { broker.run(stop).await }
    });
    (broker, stop.drop_guard())
}

/// The rights that docs/redis.md lists, with the prefix of the tests.
const DOCUMENTED: [&str; 10] =
    ["~test:*", "resetchannels", "&test:*", "+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+info", "+time"];

fn login() -> Login {
    Login::new("gateway", "secret")
}

/// A broker that may do no more than what is documented.
async fn bed() -> Bed {
    let server = Server::start().await;
    server.set_user(&login(), &DOCUMENTED).await;
    bed_of(server.url_of(&login()), server)
}

async fn sentinel_bed() -> Bed {
    let sentinels = Sentinels::start(SentinelOptions { count: 1, ..SentinelOptions::default() }).await;
    bed_of(sentinels.url(), sentinels)
}

fn bed_of(url: String, keep: impl std::any::Any + Send + Sync) -> Bed {
    let config = config(url);
    let (mailboxes, idempotency_ttl) = (mailboxes(), config.idempotency_ttl);
    let (broker, guard) = start(config, mailboxes.clone());
    Bed { broker, mailboxes, idempotency_ttl, pass: |time| Box::pin(tokio::time::sleep(time)), _keep: Box::new((keep, guard)) }
}

contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] bed().await }
