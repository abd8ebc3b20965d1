//! Command connections that break at the worst moment, and what happens to the commands in flight.

use super::support::{KEEP, config, login, mailboxes, publish, ready, start};
use gateway::{
    broker::{Broker, BrokerError, RedisConfig},
    testing::fixtures::{ALL, channel, json, kept},
};
use gateway_core::model::ReadRange;
use redis_testing::{CallProxy, Calls, Server};

/// A configuration with one command connection, which uses the proxy.
fn through(proxy: &CallProxy, login: &str) -> RedisConfig {
    RedisConfig { lanes: 1, ..config(proxy.url() + login) }
}

async fn held(broker: &Broker) -> Vec<u64> {
    let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    page.publications.iter().map(|one| json(one).parse().expect("a number")).collect()
}

// NL-2.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_publish_is_not_repeated_behind_later_ones() {
    let server = Server::start().await;
    let refused = lose_the_second_of_three(&server, "").await;
    assert!(matches!(&refused, BrokerError::Unavailable(why) if why.contains("stored first")), "{refused:?}");
}

// NL-2.13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_stay_unknown_while_a_broken_connection_may_still_execute_commands() {
    let server = Server::start().await;
    user_that_may_not_kill(&server).await;
    let refused = lose_the_second_of_three(&server, &login().of_socket()).await;
    assert!(matches!(refused, BrokerError::OutcomeUnknown), "{refused:?}");
}

/// Publishes three times. Redis executes the third publish but not the second, and the answers are lost. Returns the error of the second
/// publish.
async fn lose_the_second_of_three(server: &Server, login: &str) -> BrokerError {
    let proxy = CallProxy::to_socket(&server.socket());
    let (broker, _guard) = start(through(&proxy, login), mailboxes());
    ready(&broker).await;
    proxy.set(Calls::Wait);
    // The first publish is in flight when the others are queued, so the others are sent together.
    let first = broker.hand_over(&channel("c"), kept(1, KEEP)).await.expect("there is room");
    proxy.waits.next().await;
    let refused = broker.hand_over(&channel("c"), kept(2, KEEP)).await.expect("there is room");
    let stored = broker.hand_over(&channel("c"), kept(3, KEEP)).await.expect("there is room");
    proxy.set(Calls::LoseFirst);
    first.await.expect("published");
    let (refused, stored) = (refused.await, stored.await.expect("published"));
    assert_eq!((stored.position.expect("kept").offset, stored.replayed), (2, true));
    publish(&broker, "c", 4).await.expect("published");
    assert_eq!(held(&broker).await, [1, 3, 4]);
    refused.expect_err("it would be behind the third")
}

async fn user_that_may_not_kill(server: &Server) {
    server.set_user(&login(), &["~*", "&*", "+@all", "-client|kill"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_clear_does_not_delete_later_publications() {
    let server = Server::start().await;
    let proxy = CallProxy::to_socket(&server.socket());
    let (broker, _guard) = start(through(&proxy, ""), mailboxes());
    ready(&broker).await;
    proxy.set(Calls::Wait);
    let first = broker.hand_over(&channel("c"), kept(1, KEEP)).await.expect("there is room");
    proxy.waits.next().await;
    let _lost = broker.hand_over(&channel("c"), kept(2, KEEP)).await.expect("there is room");
    let name = channel("c");
    let mut clearing = std::pin::pin!(broker.clear(&name));
    tokio::select! {
        biased;
        cleared = &mut clearing => panic!("nothing was answered yet: {cleared:?}"),
        () = std::future::ready(()) => {}
    }
    let stored = broker.hand_over(&channel("c"), kept(3, KEEP)).await.expect("there is room");
    proxy.set(Calls::LoseFirst);
    first.await.expect("published");
    assert!(matches!(clearing.await, Err(BrokerError::OutcomeUnknown)), "its answer was lost");
    stored.await.expect("published");
    assert_eq!(held(&broker).await, [3]);
}

// NL-2.13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_connection_ends_its_predecessor() {
    let server = Server::start().await;
    let proxy = CallProxy::to_socket(&server.socket());
    let (broker, _guard) = start(through(&proxy, ""), mailboxes());
    ready(&broker).await;
    proxy.set(Calls::Wait);
    proxy.came.clear();
    let publishing = broker.hand_over(&channel("c"), kept(1, KEEP)).await.expect("there is room");
    // The gateway closes this connection because no answer arrives. The next connection waits for its predecessor.
    proxy.came.next().await;
    assert_eq!(proxy.ended.get(), 0, "the server has no reason to end anything");
    proxy.set(Calls::Pass);
    publishing.await.expect("published");
    proxy.ended.next().await;
    assert_eq!(held(&broker).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_works_without_the_right_to_end_connections() {
    let server = Server::start().await;
    user_that_may_not_kill(&server).await;
    let (broker, _guard) = start(config(server.url_of(&login())), mailboxes());
    ready(&broker).await;
    for number in 1..=2 {
        publish(&broker, "c", number).await.expect("published");
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
    publish(&broker, "c", 3).await.expect("published");
    assert_eq!(held(&broker).await, [1, 2, 3]);
}
