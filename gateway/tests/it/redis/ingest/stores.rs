//! Stores that restart, lose data, and are several.

use super::{
    bed::{Base, Node, add_numbers, at, config, connect, stream, texts},
    owners::publish,
};
use gateway::{
    broker::RedisConfig,
    ingest::IngestCount,
    publish::EntryError,
    queues::QueueStore as _,
    testing::internals::{placement, server_of},
};
use gateway_core::queue::{OwnerId, ReadLimits};
use redis_testing::{Cluster, ClusterOptions, Options, Server, slot};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::sleep;

fn lasting() -> Options {
    Options::default().with(&["--appendonly", "yes", "--appendfsync", "always"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_restarts_with_its_data_loses_and_repeats_nothing() {
    let mut redis = Server::start_with(lasting()).await;
    let node = Node::start(config(redis.url()), "");
    let (mut expected, mut next) = (0, 0);
    for _ in 0..3 {
        let mut producer = connect(&redis.url()).await;
        for _ in 0..20 {
            add_numbers(&mut producer, 0, "log:a", next..next + 50).await;
            next += 50;
        }
        node.has_counted(IngestCount::Published, expected + 100).await;
        redis.kill();
        redis.resume().await;
        node.base.emptied(1).await;
        expected = next;
    }
    let published = node.base.published("log:a").await;
    assert_eq!(published.len() as u64, next);
    assert_eq!(published, texts(0..next));
    assert!(node.base.dead_letters(0).await.is_empty());
}

// NL-2.17, NL-8.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_of_a_channel_lost_is_published_again() {
    let names = ["a", "b"];
    let entries_at = placement(&names)(&stream(0));
    let channel = crate::redis::follower::name_that("log:", |name| server_of(&names, name) != entries_at);
    let mut servers = [Server::start().await, Server::start().await];
    let url = format!("a={} b={}", servers[0].url(), servers[1].url());
    let mut producer = connect(&servers[entries_at].url()).await;
    add_numbers(&mut producer, 0, &channel, 0..5).await;
    let base = Base::start(RedisConfig { node: "first".into(), ..config(url.clone()) }, "");
    let owner = OwnerId::new("first");
    crate::redis::support::ready(&base.broker).await;
    let epoch = base.store.acquire(&at(0), &owner).await.expect("acquired").expect("it is free").epoch;
    let limits = ReadLimits { entries: 1000, bytes: 1 << 20, entry_bytes: 1 << 20 };
    let entries = base.store.read_new(&at(0), &owner, limits).await.expect("read");
    let other = &mut servers[1 - entries_at];
    for number in 0..2 {
        assert_eq!(publish(&base, &channel, number, epoch, entries[number as usize].id, None).await, Ok(true));
    }
    other.command(&["SAVE"]).await;
    let before = entries[1].id;
    assert_eq!(publish(&base, &channel, 2, epoch, entries[2].id, Some(before)).await, Ok(true));
    other.kill();
    other.resume().await;
    crate::redis::support::ready(&base.broker).await;
    let early = publish(&base, &channel, 3, epoch, entries[3].id, Some(entries[2].id)).await;
    assert_eq!(early, Err(EntryError::Early), "the channel does not know the entry before it");
    drop(base);
    sleep(Duration::from_millis(1200)).await;
    let node = Node::start(RedisConfig { node: "second".into(), ..config(url) }, "");
    node.base.emptied(1).await;
    assert_eq!(node.base.published(&channel).await, texts(0..5));
    assert_eq!((node.counted(IngestCount::Published), node.counted(IngestCount::Repeated)), (3, 2));
}

/// The server with a stream, as docs/ingest.md computes it.
fn server_of_stream<'a>(stream: &str, names: &[&'a str]) -> &'a str {
    let score = |name: &str| Sha256::new().chain_update(name).chain_update([0]).chain_update(slot(stream).to_be_bytes()).finalize();
    names.iter().max_by_key(|name| <[u8; 8]>::try_from(&score(name)[..8]).expect("8 bytes")).expect("some")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_have_a_part_of_the_streams_each() {
    const PARTITIONS: u16 = 6;
    let names = ["a", "b", "c"];
    let mut servers = Vec::new();
    for _ in names {
        servers.push(Server::start().await);
    }
    let url = names.iter().zip(&servers).map(|(name, server)| format!("{name}={}", server.url())).collect::<Vec<_>>().join(" ");
    let nodes = ["n1", "n2"].map(|name| Node::start(RedisConfig { node: name.into(), ..config(url.clone()) }, "partitions = 6"));
    let mut used = std::collections::BTreeSet::new();
    for partition in 0..PARTITIONS {
        let server = server_of_stream(&stream(partition), &names);
        used.insert(server);
        let place = names.iter().position(|name| *name == server).expect("it is in the list");
        assert_eq!(place, placement(&names)(&stream(partition)));
        let mut producer = connect(&servers[place].url()).await;
        add_numbers(&mut producer, partition, &format!("log:{partition}"), 0..300).await;
    }
    assert!(used.len() > 1, "{used:?}");
    nodes[0].base.emptied(PARTITIONS).await;
    for partition in 0..PARTITIONS {
        assert_eq!(nodes[1].base.published(&format!("log:{partition}")).await, texts(0..300));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_slots_move_loses_and_repeats_nothing() {
    const PARTITIONS: u16 = 4;
    let mut cluster = Cluster::start(ClusterOptions::default()).await;
    let config = RedisConfig { deadline: Duration::from_secs(15), ..config(cluster.url()) };
    let node = Node::start(config, "partitions = 4");
    let of_stream = slot(&stream(0));
    let of_channel = slot("{log:0}");
    for round in 0..3u64 {
        for partition in 0..PARTITIONS {
            let owner = cluster.owner(slot(&stream(partition)));
            let mut producer = connect(&format!("redis://{}", cluster.address(owner))).await;
            add_numbers(&mut producer, partition, &format!("log:{partition}"), round * 300..(round + 1) * 300).await;
        }
        let moving = if round == 1 { of_channel } else { of_stream };
        let to = (cluster.owner(moving) + 1) % 3;
        cluster.move_slot(moving, to, sleep(Duration::from_millis(100))).await;
        node.base.emptied(PARTITIONS).await;
        cluster.settle().await;
    }
    for partition in 0..PARTITIONS {
        assert_eq!(node.base.published(&format!("log:{partition}")).await, texts(0..900), "{partition}");
    }
    assert!(node.base.dead_letters(0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_stops_its_stream_only() {
    let redis = Server::start().await;
    redis.command(&["SET", &stream(1), "mine"]).await;
    let mut producer = connect(&redis.url()).await;
    let node = Node::start(config(redis.url()), "partitions = 3");
    for partition in [0, 2] {
        add_numbers(&mut producer, partition, "log:a", 0..100).await;
        node.base.store.acquire(&at(1), &OwnerId::new("other")).await.expect_err("no stream");
    }
    node.has_counted(IngestCount::Published, 200).await;
    assert_eq!(redis.command(&["GET", &stream(1)]).await.text(), "mine");
    redis.command(&["DEL", &stream(1)]).await;
    add_numbers(&mut producer, 1, "log:b", 0..100).await;
    node.base.emptied(3).await;
    assert_eq!(node.base.published("log:b").await, texts(0..100));
}
