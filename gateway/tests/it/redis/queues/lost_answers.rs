//! Connections that break when Redis has done something but not answered.

use crate::redis::support::{config, queues_of, with_queues};
use futures_util::FutureExt as _;
use gateway::{
    broker::{BrokerError, RedisConfig, RedisQueues},
    queues::QueueStore as _,
    testing::contract::queues::{ALL, QueueFixture, entry, ids, partition},
};
use gateway_core::queue::Enqueued;
use redis_testing::{CallProxy, Calls, Server};

/// A store with one connection of each kind, all through a proxy.
async fn fixture() -> (QueueFixture<RedisQueues>, CallProxy) {
    let server = Server::start().await;
    let proxy = CallProxy::to_socket(&server.socket());
    let config = RedisConfig { lanes: 1, ..with_queues(config(proxy.url())) };
    let fixture = queues_of(config, server);
    fixture.put(&partition("warm-up"), "1").await;
    (fixture, proxy)
}

// NL-8.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_answer_was_lost_is_stored_once_and_in_order() {
    let (fixture, proxy) = fixture().await;
    let at = partition("lost");
    let (owner, _) = fixture.acquire(&at).await;
    proxy.set(Calls::Wait);
    // The first is in flight when the others are queued, so the others are sent together.
    let first = fixture.store.hand_over(&at, entry("1")).await.expect("there is room");
    proxy.waits.next().await;
    let refused = fixture.store.hand_over(&at, entry("2")).await.expect("there is room");
    let stored = fixture.store.hand_over(&at, entry("3")).await.expect("there is room");
    proxy.set(Calls::LoseFirst);
    assert!(matches!(first.await, Ok(Enqueued::Stored(_))));
    let refused = refused.await;
    assert!(matches!(&refused, Err(BrokerError::Unavailable(why)) if why.contains("stored first")), "{refused:?}");
    assert!(matches!(stored.await, Ok(Enqueued::Stored(_))), "its answer was lost, so it was sent again");
    fixture.put(&at, "4").await;
    assert_eq!(ids(&fixture.read(&at, &owner).await), ["1", "3", "4"]);
}

// NL-8.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_read_whose_answer_was_lost_come_with_the_next_read() {
    let (fixture, proxy) = fixture().await;
    let at = partition("read");
    let (owner, _) = fixture.acquire(&at).await;
    let before = fixture.put_and_read(&at, &owner, &["0"]).await;
    for id in ["1", "2"] {
        fixture.put(&at, id).await;
    }
    proxy.set(Calls::Wait);
    let mut first = Box::pin(fixture.store.renew(&at, &owner));
    assert!((&mut first).now_or_never().is_none());
    proxy.waits.next().await;
    let mut dropped = Box::pin(fixture.store.renew(&at, &owner));
    let mut read = Box::pin(fixture.store.read_new(&at, &owner, ALL));
    assert!((&mut dropped).now_or_never().is_none() && (&mut read).now_or_never().is_none());
    proxy.set(Calls::LoseFirst);
    first.await.expect("renewed");
    dropped.await.expect("renewed");
    assert_eq!(ids(&read.await.expect("read")), ["1", "2"]);
    assert_eq!(fixture.read(&at, &owner).await, []);
    assert_eq!(ids(&fixture.pending(&at, &owner).await), ["0", "1", "2"]);
    fixture.store.acknowledge(&at, &owner, &[before[0].id]).await.expect("acknowledged");
}

/// A caller that gives up does not lose the entries of its read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_read_that_was_given_up_come_with_the_next_read() {
    let (fixture, proxy) = fixture().await;
    let at = partition("given-up");
    let (owner, _) = fixture.acquire(&at).await;
    for id in ["1", "2"] {
        fixture.put(&at, id).await;
    }
    proxy.set(Calls::Wait);
    let mut read = Box::pin(fixture.store.read_new(&at, &owner, ALL));
    assert!((&mut read).now_or_never().is_none());
    proxy.waits.next().await;
    drop(read);
    proxy.set(Calls::Pass);
    assert_eq!(ids(&fixture.read(&at, &owner).await), ["1", "2"]);
}
