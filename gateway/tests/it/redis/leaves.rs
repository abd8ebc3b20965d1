//! The leaves of connections whose node is dead, and what interrupts their announcement.

use super::support::{DOCUMENTED, config, eventually, login, mailboxes, ready, start};
use gateway::{
    broker::{Announcement, Broker, Delivery, Post, RedisConfig},
    cluster::{Cluster, ClusterTimings, NodeDescription},
    settings::Settings,
    testing::fixtures::{Inbox, channel, client, worker},
};
use gateway_core::{channel::Namespaces, model::ConnectionId};
use redis_testing::{Reply, Server};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::{CancellationToken, DropGuard};

const LEASE: Duration = Duration::from_secs(1);

/// A node with this user that cleans up after others.
fn cleaner(server: &Server) -> (Arc<Broker>, [DropGuard; 2]) {
    let mailboxes = mailboxes();
    let (broker, guard) = start(RedisConfig { node: "cleaner".into(), ..config(server.url_of(&login())) }, mailboxes.clone());
    let settings = Settings::from_toml("[namespaces.c]\npresence = true\njoin_leave = true").expect("valid");
    let description =
        NodeDescription { name: "cleaner".into(), link: "ws://h:1".into(), public: "http://h:2".into(), shared: BTreeMap::new() };
    let timings = ClusterTimings { lease: LEASE, sweep: Duration::from_millis(500) };
    let inbox = (mailboxes[1].clone(), worker(1));
    let cluster = Cluster::shared(description, vec![mailboxes[0].clone()], broker.clone(), inbox, Namespaces::from(&settings), timings);
    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move { cluster.run(stop).await }
    });
    (broker, [guard, stop.drop_guard()])
}

/// Adds connections of a node to a channel, with the lease of a node that died, or without any.
async fn orphans(server: &Server, name: &str, is_registered: bool) -> HashSet<ConnectionId> {
    let (broker, _guard) = start(RedisConfig { node: name.into(), ..config(server.url()) }, mailboxes());
    if is_registered {
        broker.nodes().expect("over Redis").register("{}", Duration::from_millis(50)).await.expect("registered");
    }
    let mut orphans = HashSet::new();
    for _ in 0..5 {
        let info = client("bob");
        broker.presence_add(&channel(&format!("c:{name}")), info.clone()).await.expect("added");
        orphans.insert(info.client);
    }
    orphans
}

async fn refused_announcements(server: &Server) -> String {
    format!("{:?}", server.command(&["ACL", "LOG"]).await)
}

// NL-7.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leave_whose_announcement_fails_is_announced_later() {
    let server = Server::start().await;
    server.set_user(&login(), &DOCUMENTED).await;
    let (cleaner, _cleaner) = cleaner(&server);
    ready(&cleaner).await;
    let inboxes = mailboxes();
    let (watcher, _watcher) = start(RedisConfig { node: "watcher".into(), ..config(server.url()) }, inboxes.clone());
    for name in ["c:dead", "c:unknown"] {
        watcher.subscribe(&channel(name), worker(0), None).await.expect("subscribed");
    }
    server.command(&["ACL", "SETUSER", "gateway", "resetchannels", "&test:canary:*", "&test:probe:*"]).await;
    let mut expected = orphans(&server, "dead", true).await;
    expected.extend(orphans(&server, "unknown", false).await);
    for name in ["c:dead", "c:unknown"] {
        let object = format!("test:{{{name}}}");
        while !refused_announcements(&server).await.contains(&object) {
            tokio::task::yield_now().await;
        }
    }

    server.command(&["ACL", "SETUSER", "gateway", "allchannels"]).await;
    let (mut inbox, mut left) = (Inbox::new(&inboxes[0]), HashSet::new());
    while left != expected {
        if let Post::Delivery(_, Delivery::Announcement(Announcement::Leave(info))) = inbox.next().await {
            left.insert(info.client);
        }
    }
    let mut keys = Reply::Nil;
    for _ in 0..400 {
        keys = server.command(&["KEYS", "test:{c:*"]).await;
        if keys == Reply::List(Vec::new()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(keys, Reply::List(Vec::new()), "the presence is gone afterwards");
    eventually("the cleaner works again", || cleaner.readiness() == gateway::broker::Readiness::Ready).await;
}
