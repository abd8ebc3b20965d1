//! Nodes that end without unregistering, and what they leave in Redis.

use super::support::{config, mailboxes, start};
use gateway::{
    broker::{Broker, NodeRecord, Nodes, OrphanedPresence, RedisConfig, RegistryKey, Sweep},
    testing::{
        fixtures::{channel, client},
        internals::LEASE_CHECK_VALIDITY,
    },
};
use gateway_core::model::{ConnectionId, PresenceStats};
use redis_testing::{Reply, Server, until};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio_util::sync::DropGuard;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(50);

fn node(server: &Server, name: &str) -> (Arc<Broker>, DropGuard) {
    start(RedisConfig { node: name.into(), ..config(server.url()) }, mailboxes())
}

fn nodes(broker: &Broker) -> &Nodes {
    broker.nodes().expect("over Redis")
}

async fn is_gone(broker: &Broker, name: &str) -> NodeRecord {
    loop {
        let all = nodes(broker).list().await.expect("listed");
        let found = all.into_iter().find(|node| *node.id.name == *name).expect("registered");
        if !found.is_alive {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn present(broker: &Broker, name: &str) -> (HashSet<ConnectionId>, PresenceStats) {
    let all = broker.presence(&channel(name), 1000).await.expect("listed");
    let stats = broker.presence_stats(&channel(name)).await.expect("counted");
    assert_eq!(stats.clients, all.len(), "both say the same");
    (all.iter().map(|info| info.client).collect(), stats)
}

async fn swept(broker: &Broker) -> Vec<OrphanedPresence> {
    let (mut sweep, mut all) = (Sweep::default(), Vec::new());
    while !sweep.is_over() {
        let orphaned = nodes(broker).sweep(&mut sweep).await.expect("swept").orphaned;
        nodes(broker).remove_orphaned(&orphaned).await.expect("removed");
        all.extend(orphaned);
    }
    all
}

// NL-7.2, NL-7.5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_of_a_dead_node_is_hidden_once_the_node_may_declare_others_dead() {
    let server = Server::start().await;
    let ((living, _one), (dying, _two)) = (node(&server, "living"), node(&server, "dying"));
    nodes(&living).register("{}", LONG).await.expect("entered");
    nodes(&dying).register("{}", LONG).await.expect("entered");
    let (alice, phone, bob) = (client("alice"), client("alice"), client("bob"));
    for (broker, info) in [(&living, &alice), (&dying, &phone), (&dying, &bob)] {
        broker.presence_add(&channel("c"), info.clone()).await.expect("added");
    }
    nodes(&living).set_may_declare_dead(true);
    let everybody = (HashSet::from([alice.client, phone.client, bob.client]), PresenceStats { clients: 3, users: 2 });
    assert_eq!(present(&living, "c").await, everybody);
    nodes(&dying).renew("{}", SHORT).await.expect("renewed");
    is_gone(&living, "dying").await;
    nodes(&living).set_may_declare_dead(false);
    assert_eq!(present(&living, "c").await, everybody, "after an outage all leases are gone, and nobody is dead");
    nodes(&living).set_may_declare_dead(true);
    tokio::time::sleep(LEASE_CHECK_VALIDITY).await;
    assert_eq!(present(&living, "c").await, (HashSet::from([alice.client]), PresenceStats { clients: 1, users: 1 }));
    assert_eq!(living.presence(&channel("c"), 1).await.expect("listed")[0].client, alice.client, "the dead take nobody's place");
    nodes(&dying).register("{}", LONG).await.expect("entered");
    assert_eq!(present(&living, "c").await, everybody, "it only stood still");
}

// NL-7.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_cleans_up_after_a_dead_node_until_everything_is_removed() {
    let server = Server::start().await;
    let ((cleanup, _one), (other, _two), (dying, _three)) = (node(&server, "cleaner"), node(&server, "other"), node(&server, "dying"));
    nodes(&dying).register("{}", SHORT).await.expect("entered");
    let mut expected = HashSet::new();
    for number in 0..300 {
        let info = client("bob");
        dying.presence_add(&channel(&format!("#c {{{}}} *", number % 7)), info.clone()).await.expect("added");
        expected.insert(info.client);
    }
    let dead = is_gone(&cleanup, "dying").await.id;
    assert!(nodes(&cleanup).lock_cleanup(&dead, LONG).await.expect("asked"));
    assert!(!nodes(&other).lock_cleanup(&dead, LONG).await.expect("asked"), "one does it");
    assert!(nodes(&cleanup).lock_cleanup(&dead, SHORT).await.expect("asked"), "and goes on with it");
    until("the lock expires", async || nodes(&other).lock_cleanup(&dead, LONG).await.expect("asked")).await;
    let (mut left, mut steps) = (HashSet::new(), 0);
    while let Some(step) = nodes(&other).presence_step(&dead).await.expect("read") {
        steps += 1;
        nodes(&other).remove_presence_step(&dead, &step).await.expect("removed");
        for OrphanedPresence { info, .. } in step.orphaned {
            assert!(left.insert(info.client), "once");
        }
    }
    assert!(steps > 1, "in steps");
    assert_eq!(left, expected);
    nodes(&cleanup).unregister(&dead).await.expect("forgotten");
    assert!(nodes(&cleanup).list().await.expect("listed").iter().all(|node| *node.id.name != *"dying"));
    assert_eq!(present(&cleanup, "#c {1} *").await.1, PresenceStats::default());
}

// NL-7.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_removes_presence_that_belongs_to_no_living_node() {
    let server = Server::start().await;
    let ((living, _one), (dying, _two)) = (node(&server, "living"), node(&server, "dying"));
    nodes(&living).register("{}", LONG).await.expect("entered");
    let (alice, bob) = (client("alice"), client("bob"));
    living.presence_add(&channel("c:both"), alice.clone()).await.expect("added");
    for name in ["c:both", "#a lone} {*"] {
        // This node has never held a lease, so it is in no list of nodes.
        dying.presence_add(&channel(name), bob.clone()).await.expect("added");
    }
    assert!(swept(&living).await.is_empty(), "not before it may judge");
    nodes(&living).set_may_declare_dead(true);
    let mut left: Vec<_> = swept(&living).await.into_iter().map(|left| (left.channel.to_string(), left.info.client)).collect();
    left.sort();
    assert_eq!(left, [("#a lone} {*".to_owned(), bob.client), ("c:both".to_owned(), bob.client)]);
    assert!(swept(&living).await.is_empty(), "once");
    assert_eq!(present(&dying, "c:both").await, (HashSet::from([alice.client]), PresenceStats { clients: 1, users: 1 }));
    assert_eq!(present(&dying, "#a lone} {*").await.1, PresenceStats::default());
    assert_eq!(server.command(&["KEYS", "test:{#a*"]).await, Reply::List(Vec::new()), "nothing is left");
    assert!(nodes(&living).lock_sweep(LONG).await.expect("asked"));
    assert!(!nodes(&dying).lock_sweep(LONG).await.expect("asked"), "one at a time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_written_after_the_clean_up_is_removed_too() {
    let server = Server::start().await;
    let ((cleanup, _one), (slow, _two)) = (node(&server, "cleaner"), node(&server, "slow"));
    nodes(&slow).register("{}", SHORT).await.expect("entered");
    let dead = is_gone(&cleanup, "slow").await.id;
    nodes(&cleanup).unregister(&dead).await.expect("forgotten");
    let late = (RegistryKey::Connection(ConnectionId::random()), "alice".parse().expect("valid"));
    nodes(&slow).register_entries(std::slice::from_ref(&late)).await.expect("entered");
    let before = nodes(&slow).holder();
    let former = nodes(&slow).begin_generation("{}").await.expect("Redis answers");
    assert_ne!(nodes(&slow).holder(), before);
    nodes(&slow).register("{}", LONG).await.expect("entered");
    assert_eq!(is_gone(&cleanup, "slow").await.id, dead);
    assert_eq!((nodes(&cleanup).registered_entries(&dead).await.expect("read"), former == dead), (vec![late], true));
    nodes(&slow).delete_registry_of(&former).await.expect("struck out");
    assert_eq!(nodes(&cleanup).registered_entries(&dead).await.expect("read"), [], "it lives on, in the node's next life");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_entries_in_the_registry_do_not_stop_the_clean_up() {
    let server = Server::start().await;
    let ((cleanup, _one), (dying, _two)) = (node(&server, "cleaner"), node(&server, "dying"));
    nodes(&dying).register("{}", SHORT).await.expect("entered");
    let dead = is_gone(&cleanup, "dying").await.id;
    let good = (RegistryKey::Connection(ConnectionId::random()), "alice".parse().expect("valid"));
    nodes(&dying).register_entries(std::slice::from_ref(&good)).await.expect("entered");
    let keys = server.command(&["KEYS", "test:node:dying*:connections"]).await.texts();
    let key = &*keys[0];
    server.command(&["HSET", key, "no connection", "alice"]).await;
    assert_eq!(nodes(&cleanup).registered_entries(&dead).await.expect("read"), [good]);
    assert_eq!(server.command(&["HLEN", key]).await, Reply::Number(1), "it is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_cleanup_lock_can_be_taken_by_another_node() {
    let server = Server::start().await;
    let ((cleanup, _one), (other, _two), (dying, _three)) = (node(&server, "cleaner"), node(&server, "other"), node(&server, "dying"));
    nodes(&dying).register("{}", SHORT).await.expect("entered");
    let dead = is_gone(&cleanup, "dying").await.id;
    assert!(nodes(&cleanup).lock_cleanup(&dead, LONG).await.expect("asked"));
    nodes(&cleanup).unlock_cleanup(&dead).await.expect("Redis answers");
    until("the lock is free", async || nodes(&other).lock_cleanup(&dead, LONG).await.expect("asked")).await;
    nodes(&cleanup).unlock_cleanup(&dead).await.expect("Redis answers");
    assert!(nodes(&other).lock_cleanup(&dead, LONG).await.expect("asked"), "a node cannot release the lock of another node");
}
