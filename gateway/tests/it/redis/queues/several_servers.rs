//! Queues with several independent servers.

use crate::redis::support::{DOCUMENTED, config, login, mailboxes, queues_of, ready, start, with_queues};
use gateway::{
    broker::{RedisConfig, RedisQueues, Sweep},
    queue_contract,
    testing::{
        contract::queues::{QueueFixture, letter, partition},
        internals::server_of,
    },
};
use gateway_core::queue::{DeadReason, PartitionId, QueueName};
use redis_testing::Server;

const NAMES: [&str; 3] = ["a", "b", "c"];

async fn servers() -> Vec<Server> {
    let mut servers = Vec::new();
    for _ in NAMES {
        let server = Server::start().await;
        server.set_user(&login(), &DOCUMENTED).await;
        servers.push(server);
    }
    servers
}

fn url(servers: &[Server]) -> String {
    let urls = NAMES.into_iter().zip(servers).map(|(name, server)| format!("{name}={}", server.url_of(&login())));
    urls.collect::<Vec<_>>().join(" ")
}

async fn fixture() -> QueueFixture<RedisQueues> {
    let servers = servers().await;
    queues_of(with_queues(config(url(&servers))), servers)
}

queue_contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] fixture().await }

// NL-8.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_of_a_partition_are_at_one_server() {
    use gateway::queues::QueueStore as _;
    let servers = servers().await;
    let fixture = queues_of(with_queues(config(url(&servers))), ());
    for number in 0..6 {
        let at = partition(&format!("q{number}"));
        let (owner, _) = fixture.acquire(&at).await;
        let entries = fixture.put_and_read(&at, &owner, &["1"]).await;
        fixture.store.move_to_dead_letters(&at, &owner, &letter(entries[0].id, DeadReason::Tries)).await.expect("a dead letter");
        fixture.store.set_paused(&at, true).await.expect("paused");
        let place = server_of(&NAMES, &at.to_string());
        for (index, server) in servers.iter().enumerate() {
            let keys = server.command(&["KEYS", &format!("test:queue:{{{at}}}:*")]).await.texts();
            assert_eq!(keys.len(), if index == place { 6 } else { 0 }, "entries, dead, owner, epoch, paused, once: {keys:?}");
        }
    }
}

// NL-8.9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_deletes_no_queue_at_the_wrong_server() {
    let servers = servers().await;
    let only = queues_of(with_queues(config(servers[0].url())), ());
    for number in 0..12 {
        let at = partition(&format!("q{number}"));
        let (owner, _) = only.acquire(&at).await;
        only.put_and_read(&at, &owner, &["1"]).await;
    }
    only.put(&PartitionId { queue: QueueName::Ingest, partition: 3 }, "1").await;
    drop(only);
    let kept = async || {
        let mut keys =
            [servers[0].command(&["KEYS", "test:queue:*"]).await.texts(), servers[0].command(&["KEYS", "test:ingest:*"]).await.texts()]
                .concat();
        keys.retain(|key| !key.ends_with(":owner"));
        keys.sort();
        keys
    };
    let before = kept().await;
    let (broker, _guard) = start(RedisConfig { node: "later".into(), ..config(url(&servers)) }, mailboxes());
    ready(&broker).await;
    let (nodes, mut sweep) = (broker.nodes().expect("over Redis"), Sweep::default());
    while !sweep.is_over() {
        nodes.sweep(&mut sweep).await.expect("swept");
    }
    assert_eq!(kept().await, before);
    assert!(before.len() >= 12 * 3 && broker.stats().redis.is_some_and(|redis| redis.misplaced < 10), "{before:?}");
}
