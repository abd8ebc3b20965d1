//! The broker with a Redis Cluster: the contract, moves of slots, and failures.

use super::{
    follower::{Follower, name_that, publish_during},
    support::{DOCUMENTED, KEEP, config, eventually, login, mailboxes, publish, ready, start},
};
use gateway::{
    broker::{BrokerError, MailboxEntry, Readiness, RedisConfig, TopReason, UserSubscription},
    contract,
    testing::{
        contract::BrokerFixture,
        fixtures::{Inbox, channel, worker},
    },
};
use redis_testing::{Cluster, ClusterOptions, Login, Options, Server, slot};
use std::{
    slice::from_ref,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// The additional right that a Redis Cluster needs.
const CLUSTER: &str = "+cluster|nodes";

/// A broker whose Redis user has exactly the documented rights. Each has its own key prefix.
async fn fixture() -> BrokerFixture {
    static BEDS: AtomicU64 = AtomicU64::new(0);
    let cluster = Cluster::shared().await;
    let number = BEDS.fetch_add(1, Relaxed);
    let (prefix, login) = (format!("test{number}"), Login::new(&format!("gateway{number}"), "secret"));
    let rights: Vec<_> = DOCUMENTED.into_iter().map(|right| right.replace("test", &prefix)).chain([CLUSTER.into()]).collect();
    cluster.set_user(&login, &rights.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let config = RedisConfig { prefix, ..config(cluster.url_of(&login)) };
    let (mailboxes, idempotency_ttl) = (mailboxes(), config.idempotency_ttl);
    let (broker, guard) = start(config, mailboxes.clone());
    BrokerFixture { broker, mailboxes, idempotency_ttl, pass: |time| Box::pin(tokio::time::sleep(time)), keep: Box::new((cluster, guard)) }
}

contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] fixture().await }

/// Switches the audit off, so that it cannot hide a defect of the other checks.
fn without_audit(cluster: &Cluster) -> RedisConfig {
    RedisConfig { audit_duration: Duration::from_hours(1), deadline: Duration::from_secs(15), ..config(cluster.url()) }
}

/// The name of a channel whose slot this master has from the start.
fn channel_at(cluster: &Cluster, master: usize) -> String {
    name_that("c", |name| cluster.owner(slot(name)) == master)
}

async fn with_replicas() -> Cluster {
    Cluster::start(ClusterOptions { replicas: 1, ..ClusterOptions::default() }).await
}

// NL-3.5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_load_loses_nothing() {
    let mut cluster = Cluster::start(ClusterOptions::default()).await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(without_audit(&cluster), mailboxes.clone());
    ready(&broker).await;
    let (moved, stays) = (channel_at(&cluster, 0), channel_at(&cluster, 1));
    // A channel in the same slot. It has no publication when the move begins.
    let late = name_that("late", |name| slot(name) == slot(&moved));
    let names: [&str; 3] = [&moved, &late, &stays];
    let mut follower = Follower::of(&broker, &mailboxes[0], &names).await;
    publish(&broker, &moved, 1).await.expect("published");
    publish(&broker, &stays, 1).await.expect("published");
    let new = cluster.join().await;
    let mut last = 1;
    for to in [2, new, 0] {
        let change = cluster.move_slot(slot(&moved), to, sleep(Duration::from_millis(300)));
        if last == 1 {
            let first = tokio::join!(publish(&broker, &late, 1), change).0;
            first.expect("published, wherever the slot is");
        } else {
            last = publish_during(&broker, &names, last, change).await;
        }
        last = publish_during(&broker, &names, last, sleep(Duration::ZERO)).await;
        follower.until(last).await;
        follower.expect(last);
        cluster.settle().await;
    }
    ready(&broker).await;
    assert_eq!(broker.stats().redis.map(|redis| redis.undelivered), Some(0), "no connection was given up for it");
}

// NL-3.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_moving_slot_are_found_at_the_new_master() {
    let cluster = Cluster::start(ClusterOptions::default()).await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(without_audit(&cluster), mailboxes.clone());
    ready(&broker).await;
    let name = channel_at(&cluster, 0);
    let user = name_that("u", |user| slot(user) == slot(&name));
    let user = user.parse().expect("valid");
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel(&name), worker(0), Some(KEEP)).await.expect("subscribed");
    publish(&broker, &name, 1).await.expect("published");
    let subscription = UserSubscription { channel: channel("x"), expires_at: None };
    let halfway = async {
        broker.put_user_subscription(&user, subscription.clone()).await.expect("the new master takes it");
        assert_eq!(broker.user_subscriptions(&user).await.expect("read"), *from_ref(&subscription));
        loop {
            if let MailboxEntry::Top(looked_at, _, check) = inbox.next().await {
                assert_eq!((looked_at, check), (channel(&name), TopReason::Resumed), "a publication there was not received here");
                break;
            }
        }
    };
    cluster.move_slot(slot(&name), 1, halfway).await;
    assert_eq!(broker.user_subscriptions(&user).await.expect("read"), [subscription]);
}

/// Other nodes may publish at the new master while this node is subscribed at the old one. The node must find these publications even if
/// the move never ends.
// NL-3.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_whose_slot_is_moving_is_checked_at_once_and_repeatedly() {
    let cluster = Cluster::start(ClusterOptions::default()).await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(without_audit(&cluster), mailboxes.clone());
    ready(&broker).await;
    let name = channel_at(&cluster, 0);
    let user = name_that("u", |user| slot(user) == slot(&name)).parse().expect("valid");
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel(&name), worker(0), Some(KEEP)).await.expect("subscribed");
    publish(&broker, &name, 1).await.expect("published");
    assert_eq!(inbox.publication().await.0, channel(&name));
    cluster.announce_move(slot(&name), 1).await;
    let subscription = UserSubscription { channel: channel("x"), expires_at: None };
    broker.put_user_subscription(&user, subscription).await.expect("the new master takes it");
    for _ in 0..2 {
        let entry = inbox.next().await;
        assert!(matches!(&entry, MailboxEntry::Top(at, top, TopReason::Resumed) if *at == channel(&name) && top.offset == 1), "{entry:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_takes_over_under_load_loses_nothing() {
    let cluster = with_replicas().await;
    let mailboxes = mailboxes();
    // The old master accepts no writes until the new one has caught up, which may need several attempts.
    let config = RedisConfig { deadline: Duration::from_secs(60), ..without_audit(&cluster) };
    let (broker, _guard) = start(config, mailboxes.clone());
    ready(&broker).await;
    let names = [&*channel_at(&cluster, 0), &*channel_at(&cluster, 1)];
    let mut follower = Follower::of(&broker, &mailboxes[0], &names).await;
    let takes_over = async {
        sleep(Duration::from_millis(100)).await;
        cluster.fail_over(3).await;
    };
    let last = publish_during(&broker, &names, 0, takes_over).await;
    follower.until(last).await;
    follower.expect(last);
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_is_replaced_by_its_replica() {
    let mut cluster = with_replicas().await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(without_audit(&cluster), mailboxes.clone());
    ready(&broker).await;
    let names = [&*channel_at(&cluster, 0), &*channel_at(&cluster, 1)];
    let mut follower = Follower::of(&broker, &mailboxes[0], &names).await;
    let last = publish_during(&broker, &names, 0, sleep(Duration::ZERO)).await;
    follower.until(last).await;
    cluster.await_replica(3, 0).await;
    cluster.members[0].kill();
    let takes_over = async {
        sleep(Duration::from_millis(300)).await;
        cluster.members[3].command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
    };
    let last = publish_during(&broker, &names, last, takes_over).await;
    follower.until(last).await;
    follower.expect(last);
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_master_does_not_affect_other_channels() {
    let mut cluster = Cluster::start(ClusterOptions::default()).await;
    let mailboxes = mailboxes();
    let config = RedisConfig { queue_commands: 64, deadline: Duration::from_secs(3), ..without_audit(&cluster) };
    let (broker, _guard) = start(config, mailboxes.clone());
    ready(&broker).await;
    let (away, here) = (channel_at(&cluster, 0), channel_at(&cluster, 1));
    let mut follower = Follower::of(&broker, &mailboxes[0], &[&here]).await;
    cluster.members[0].kill();
    let address = cluster.address(0);
    eventually("it says who", || matches!(broker.readiness(), Readiness::Partly(why) if why.contains(&address))).await;
    let began = Instant::now();
    let many = futures_util::future::join_all((0..500).map(|number| publish(&broker, &away, number)));
    let others = async {
        let last = publish_during(&broker, &[&here], 0, sleep(Duration::ZERO)).await;
        (last, began.elapsed())
    };
    let (many, (last, took)) = tokio::join!(many, others);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(began.elapsed() < Duration::from_secs(6));
    assert!(many.iter().all(Result::is_err));
    let (unavailable, unknown): (Vec<_>, Vec<_>) = many.into_iter().partition(|done| matches!(done, Err(BrokerError::Unavailable(_))));
    assert!(unavailable.len() > unknown.len(), "{unknown:?}");
    follower.until(last).await;
    follower.expect(last);
    cluster.members[0].resume().await;
    ready(&broker).await;
    publish(&broker, &away, 1).await.expect("published");
}

// NL-3.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_channels_of_the_broken_connection_are_checked() {
    let cluster = Cluster::start(ClusterOptions::default()).await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(without_audit(&cluster), mailboxes.clone());
    let (cut, whole) = (channel_at(&cluster, 2), channel_at(&cluster, 1));
    let mut inbox = Inbox::new(&mailboxes[0]);
    for name in [&cut, &whole] {
        broker.subscribe(&channel(name), worker(0), Some(KEEP)).await.expect("subscribed");
    }
    for _ in 0..3 {
        ready(&broker).await;
        cluster.members[2].command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        assert!(matches!(inbox.next().await, MailboxEntry::Top(name, _, TopReason::Resumed) if name == channel(&cut)));
    }
    publish(&broker, &whole, 1).await.expect("published");
    assert_eq!(inbox.publication().await.0, channel(&whole));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_address_is_explained_in_a_sentence() {
    let (cluster, alone) = (Cluster::shared().await, Server::start_with(Options::default().with_port()).await);
    for (url, says) in [
        (format!("redis://{}", cluster.address(0)), "as redis+cluster://"),
        (format!("redis+cluster://{}", alone.address()), "belongs to no Redis Cluster"),
        ("redis+cluster://127.0.0.1:1,127.0.0.1:2".to_owned(), "cannot be reached"),
    ] {
        let (broker, _guard) = start(config(url), mailboxes());
        eventually(says, || matches!(broker.readiness(), Readiness::NotReady(why) if why.contains(says))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_a_member_denies_is_named() {
    let cluster = Cluster::start(ClusterOptions::default()).await;
    cluster.set_user(&login(), &[&DOCUMENTED[..], &[CLUSTER]].concat()).await;
    let (broker, _guard) = start(config(cluster.url_of(&login())), mailboxes());
    ready(&broker).await;
    let address = cluster.address(1);
    for (denied, says) in [("-spublish", "'spublish' command"), ("-cluster", "'cluster|nodes' command")] {
        for member in &cluster.members {
            member.command(&["ACL", "SETUSER", "gateway", denied]).await;
            // The gateway checks its rights with each new connection.
            member.command(&["CLIENT", "KILL", "USER", "gateway"]).await;
        }
        let missing = |why: &str| why.contains(says) && why.contains(&address) && why.contains("gateway redis-acl");
        eventually(says, || matches!(broker.readiness(), Readiness::NotReady(why) | Readiness::Partly(why) if missing(&why))).await;
        cluster.set_user(&login(), &[&DOCUMENTED[..], &[CLUSTER]].concat()).await;
        ready(&broker).await;
    }
}
