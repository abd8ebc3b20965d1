//! The channel index, which holds the names of channels: what publishes write to it, and how lists and sweeps correct it when names are
//! missing or no longer active.

use super::support::fixture_of;
use gateway::{
    broker::{BrokerError, Sweep},
    testing::{
        contract::BrokerFixture,
        fixtures::{channel, ephemeral, kept, worker},
        internals::index_shard,
    },
};
use gateway_core::model::Retention;
use redis_testing::{Server, until};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const KEEP: Retention = Retention { size: 10, ttl: Duration::from_mins(1) };
const BRIEF: Retention = Retention { size: 1, ttl: Duration::from_millis(20) };

async fn start() -> (BrokerFixture, Arc<Server>) {
    let server = Arc::new(Server::start().await);
    (fixture_of(server.url(), server.clone()), server)
}

/// All names in the channel index, from its 16 sorted sets in Redis.
async fn written(server: &Server) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for shard in 0..16 {
        all.extend(server.command(&["ZRANGE", &format!("test:names:{{{shard}}}"), "0", "-1"]).await.texts());
    }
    all
}

async fn add(server: &Server, name: &str) {
    server.command(&["ZADD", &format!("test:names:{{{}}}", index_shard(name)), "0", name]).await;
}

async fn forget(server: &Server) {
    for shard in 0..16 {
        server.command(&["DEL", &format!("test:names:{{{shard}}}")]).await;
    }
}

async fn list(fixture: &BrokerFixture) -> Vec<String> {
    let all = fixture.broker.channels("*", None, 100).await.expect("listed");
    all.into_iter().map(|channel| channel.name.to_string()).collect()
}

async fn publish(fixture: &BrokerFixture, name: &str, keep: Retention) -> Result<u64, BrokerError> {
    let published = fixture.broker.publish(&channel(name), kept(1, keep)).await?;
    Ok(published.position.map_or(0, |position| position.offset))
}

async fn sweep(fixture: &BrokerFixture) {
    let (nodes, mut sweep) = (fixture.broker.nodes().expect("over Redis"), Sweep::default());
    while !sweep.is_over() {
        nodes.sweep(&mut sweep).await.expect("swept");
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_has_publications_again_is_listed_again() {
    let (fixture, server) = start().await;
    for _ in 0..3 {
        publish(&fixture, "c:brief", BRIEF).await.expect("published");
        until("the history has expired", async || list(&fixture).await.is_empty()).await;
        assert_eq!(written(&server).await, names([]), "a list takes out what is not active");
    }
    fixture.broker.publish(&channel("c:never"), ephemeral(1)).await.expect("announced");
    assert_eq!(publish(&fixture, "c:brief", KEEP).await, Ok(4));
    assert_eq!(list(&fixture).await, ["c:brief"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_name_is_written_again_by_the_next_publish() {
    let (fixture, server) = start().await;
    publish(&fixture, "c:young", KEEP).await.expect("published");
    assert_eq!(list(&fixture).await, ["c:young"]);
    forget(&server).await;
    assert_eq!(publish(&fixture, "c:young", KEEP).await, Ok(2));
    assert_eq!(list(&fixture).await, ["c:young"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_adds_missing_names_and_deletes_names_of_inactive_channels() {
    let (fixture, server) = start().await;
    for name in ["c:a", "c:b"] {
        publish(&fixture, name, KEEP).await.expect("published");
    }
    fixture.broker.subscribe(&channel("c:joined"), worker(0), None).await.expect("subscribed");
    assert_eq!(list(&fixture).await, ["c:a", "c:b", "c:joined"]);
    forget(&server).await;
    assert!(list(&fixture).await.is_empty());
    for number in 0..300 {
        add(&server, &format!("c:idle:{number}")).await;
    }
    sweep(&fixture).await;
    assert_eq!(written(&server).await, names(["c:a", "c:b", "c:joined"]));
    assert_eq!(list(&fixture).await, ["c:a", "c:b", "c:joined"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_continues_after_an_error() {
    let (fixture, server) = start().await;
    publish(&fixture, "c:a", KEEP).await.expect("published");
    assert_eq!(list(&fixture).await, ["c:a"]);
    forget(&server).await;
    let key = format!("test:names:{{{}}}", index_shard("c:a"));
    server.command(&["SET", &key, "no set"]).await;
    let (nodes, mut sweep, mut failed) = (fixture.broker.nodes().expect("over Redis"), Sweep::default(), 0);
    while !sweep.is_over() {
        if nodes.sweep(&mut sweep).await.is_err() {
            failed += 1;
            server.command(&["DEL", &key]).await;
        }
    }
    assert_eq!((failed, written(&server).await), (1, names(["c:a"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_does_not_fail_when_a_write_fails() {
    let (fixture, server) = start().await;
    publish(&fixture, "c:a", KEEP).await.expect("published");
    assert_eq!(list(&fixture).await, ["c:a"]);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    fixture.broker.subscribe(&channel("c:joined"), worker(0), None).await.expect("subscribed");
    assert_eq!(list(&fixture).await, ["c:a"], "Redis takes nothing in");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    until("the waiting name is written", async || list(&fixture).await == ["c:a", "c:joined"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_names_are_skipped() {
    let (fixture, server) = start().await;
    publish(&fixture, "c:b", KEEP).await.expect("published");
    assert_eq!(list(&fixture).await, ["c:b"]);
    for number in 0..40 {
        server.command(&["ZADD", &format!("test:names:{{{}}}", index_shard("c:b")), "0", &format!("{{odd {number:02}}}")]).await;
        server.command(&["ZADD", &format!("test:names:{{{}}}", index_shard("c:b")), "0", &format!("a {number:02}")]).await;
    }
    assert_eq!(list(&fixture).await, ["c:b"]);
    sweep(&fixture).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_are_resubscribed_after_an_interruption_are_listed_again() {
    let (fixture, server) = start().await;
    fixture.broker.subscribe(&channel("c:joined"), worker(0), None).await.expect("subscribed");
    assert_eq!(list(&fixture).await, ["c:joined"]);
    forget(&server).await;
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    until("the name is written again", async || list(&fixture).await == ["c:joined"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_contain_the_names_of_all_sets_in_order() {
    let (fixture, server) = start().await;
    let many: Vec<_> = (0..400).map(|number| format!("c:{number:03}")).collect();
    for name in &many {
        publish(&fixture, name, KEEP).await.expect("published");
        add(&server, &format!("{name}:idle")).await;
    }
    let mut found: Vec<String> = Vec::new();
    loop {
        let page = fixture.broker.channels("c:*", found.last().map(String::as_str), 33).await.expect("listed");
        found.extend(page.iter().map(|it| it.name.to_string()));
        if page.len() < 33 {
            break;
        }
    }
    assert_eq!(found, many);
    let some = fixture.broker.channels("c:1*5", None, 100).await.expect("listed");
    assert_eq!(some.len(), 10, "{some:?}");
    assert_eq!(fixture.broker.channels("c:2", Some("c:3"), 100).await.expect("listed"), [], "after all that begin so");
}
