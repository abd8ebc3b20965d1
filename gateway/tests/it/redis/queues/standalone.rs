//! Queues with one server.

use crate::redis::support::{DOCUMENTED, QUEUES, config, login, queues_of, with_queues};
use gateway::{
    broker::RedisQueues,
    queue_contract,
    queues::QueueStore as _,
    testing::contract::queues::{ALL, QueueFixture, ids, partition},
};
use gateway_core::queue::EntryId;
use redis_testing::{Options, Server};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A store whose Redis user has exactly the documented rights.
async fn fixture() -> QueueFixture<RedisQueues> {
    let server = Server::start().await;
    server.set_user(&login(), &DOCUMENTED).await;
    queues_of(with_queues(config(server.url_of(&login()))), server)
}

queue_contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] fixture().await }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_outlives_a_restart_of_redis() {
    let mut server = Server::start_with(Options::default().with(&["--appendonly", "yes"])).await;
    let fixture = queues_of(with_queues(config(server.url())), ());
    let at = partition("restart");
    let (owner, first) = fixture.acquire(&at).await;
    let entries = fixture.put_and_read(&at, &owner, &["1", "2", "3"]).await;
    fixture.store.record_tries(&at, &owner, &[(entries[0].id, 4)]).await.expect("recorded");
    fixture.store.acknowledge(&at, &owner, &[entries[1].id]).await.expect("acknowledged");
    fixture.put(&at, "4").await;
    fixture.store.set_paused(&at, true).await.expect("paused");
    server.shut_down().await;
    server.resume().await;
    // The lease goes on while the server is down.
    sleep(QUEUES.lease).await;
    let (owner, second) = fixture.acquire(&at).await;
    assert!(second.epoch > first.epoch && second.paused);
    let pending = fixture.pending(&at, &owner).await;
    assert_eq!((ids(&pending), pending[0].tries), (vec!["1".into(), "3".into()], 4));
    assert_eq!(ids(&fixture.read(&at, &owner).await), ["4"]);
}

/// If Redis loses all data, owners lose their partitions, and their epochs still grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_loses_a_partition_whose_data_is_lost() {
    let server = Server::start().await;
    let fixture = queues_of(with_queues(config(server.url())), ());
    let at = partition("lost");
    let (owner, first) = fixture.acquire(&at).await;
    fixture.put_and_read(&at, &owner, &["1"]).await;
    server.command(&["FLUSHALL"]).await;
    // Without the last epoch, the clock of Redis in milliseconds makes the next one.
    sleep(Duration::from_millis(1)).await;
    assert!(fixture.store.read_new(&at, &owner, ALL).await.is_err());
    let (owner, second) = fixture.acquire(&at).await;
    assert!(second.epoch > first.epoch, "{first:?} {second:?}");
    assert_eq!(ids(&fixture.put_and_read(&at, &owner, &["2"]).await), ["2"]);
}

/// A wait for entries occupies a connection. Beyond the limit of these connections, partitions are looked at at intervals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_for_entries_use_a_limited_number_of_connections() {
    let server = Server::start().await;
    let fixture = queues_of(with_queues(config(server.url())), ());
    fixture.put(&partition("warm-up"), "1").await;
    let before = server.clients().await;
    let many: Vec<_> = (0..80).map(|number| partition(&format!("many-{number}"))).collect();
    for at in &many {
        fixture.acquire(at).await;
    }
    let begun = Instant::now();
    futures_util::future::join_all(many.iter().map(|at| fixture.store.arrival(at, EntryId::default()))).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!((1..=64).contains(&(server.clients().await - before)), "{before} {}", server.clients().await);
}
