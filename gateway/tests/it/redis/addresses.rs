//! A Redis Cluster whose servers are known by host names, by IPv6 addresses, or by nothing but a port.

use super::{
    follower::{Follower, name_that, publish_during},
    support::{config_of, eventually, mailboxes, ready, start},
};
use gateway::{
    broker::{Readiness, RedisConfig, UserSubscription},
    testing::fixtures::channel,
};
use redis_testing::{Authority, Cluster, ClusterOptions, Options, slot};
use std::{net::Ipv6Addr, time::Duration};
use tokio::time::timeout;

/// A time limit that no machine exceeds for this operation, and shorter than the deadline.
const SOON: Duration = Duration::from_secs(10);

/// Publishes while a slot moves and a replica takes over. The gateway must find each server by what the other servers say. `host` is the
/// host by which the gateway has to connect to all servers.
async fn serves_through_a_move_and_a_failover(listen: Options, host: &str, settings: impl Fn(&Cluster) -> String) {
    let mut cluster = Cluster::start(ClusterOptions { replicas: 1, listen, ..ClusterOptions::default() }).await;
    let mailboxes = mailboxes();
    let config =
        RedisConfig { audit_duration: Duration::from_hours(1), deadline: Duration::from_secs(60), ..config_of(&settings(&cluster)) };
    let (broker, _guard) = start(config, mailboxes.clone());
    ready(&broker).await;
    let name = name_that("c", |name| cluster.owner(slot(name)) == 0);
    let other = name_that("c", |name| cluster.owner(slot(name)) == 1);
    let names = [&*name, &*other];
    let mut follower = Follower::of(&broker, &mailboxes[0], &names).await;
    // Redis has no key of this user yet. So the old master redirects to the new one, long before the other servers know that the slot
    // moved.
    let user = name_that("u", |user| slot(user) == slot(&name)).parse().expect("valid");
    let subscription = UserSubscription { channel: channel("x"), expires_at: None };
    let halfway = async {
        let stored = timeout(SOON, broker.put_user_subscription(&user, subscription)).await;
        stored.expect("soon").expect("the new master stores it");
    };
    let moves = cluster.move_slot(slot(&name), 1, halfway);
    let last = publish_during(&broker, &names, 0, moves).await;
    cluster.settle().await;
    let last = publish_during(&broker, &names, last, cluster.fail_over(4)).await;
    follower.until(last).await;
    follower.expect(last);
    ready(&broker).await;
    assert_eq!(broker.stats().redis.map(|redis| redis.serving), Some(3), "each master once");
    cluster.members[2].kill();
    let address = format!("{host}:{}", cluster.members[2].address().port());
    eventually(&address, || matches!(broker.readiness(), Readiness::Partly(why) if why.contains(&address))).await;
}

fn url(cluster: &Cluster) -> String {
    format!("url = {:?}", cluster.url())
}

fn named() -> Options {
    Options::default().with_port().with(&["--cluster-announce-hostname", "localhost"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_reached_by_the_host_names_that_they_announce() {
    serves_through_a_move_and_a_failover(named().with(&["--cluster-preferred-endpoint-type", "hostname"]), "localhost", url).await;
}

/// Here the slot map has host names, and redirections have IP addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_announce_host_names_but_prefer_addresses_are_reached() {
    serves_through_a_move_and_a_failover(named(), "localhost", url).await;
}

/// Here redirections contain only a port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_announce_only_ports_are_reached() {
    for preference in ["unknown-endpoint", "hostname"] {
        let listen = Options::default().with_port().with(&["--cluster-preferred-endpoint-type", preference]);
        serves_through_a_move_and_a_failover(listen, "127.0.0.1", url).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_may_be_known_by_ipv6_addresses() {
    serves_through_a_move_and_a_failover(Options::default().with_port().at(Ipv6Addr::LOCALHOST.into()), "[::1]", url).await;
}

/// Here the slot map has IP addresses, and the certificates are for these addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_with_tls_is_supported() {
    let authority = Authority::new();
    let listen = Options::default().with_tls(&authority.sign(&["127.0.0.1"]));
    serves_through_a_move_and_a_failover(listen, "127.0.0.1", |cluster| tls_url(&authority, &cluster.hosts())).await;
}

/// Here the certificates are for a host name, but redirections have IP addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_with_tls_are_reached_by_the_host_names_that_they_announce() {
    let authority = Authority::new();
    let listen = Options::default().with_tls(&authority.sign(&["localhost"])).with(&["--cluster-announce-hostname", "localhost"]);
    serves_through_a_move_and_a_failover(listen, "localhost", |cluster| {
        tls_url(&authority, &cluster.hosts().replace("127.0.0.1", "localhost"))
    })
    .await;
}

fn tls_url(authority: &Authority, hosts: &str) -> String {
    format!("url = \"rediss+cluster://{hosts}\"\nca_file = {:?}", authority.file())
}
