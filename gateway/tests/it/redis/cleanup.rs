//! A node that cleans up after dead nodes while it keeps its own lease, and interruptions of that.

use super::support::{DOCUMENTED, config, login, mailboxes, ready, start};
use gateway::{
    broker::{Announcement, Broker, Delivery, Mailbox, MailboxEntry, OrphanedPresence, RedisConfig, RegistryKey, Release},
    cluster::{Cluster, ClusterTimings, DeadNodeEntries, NodeDescription, WatchedUsers},
    settings::Settings,
    testing::fixtures::{HOUR, Inbox, channel, client, worker},
};
use gateway_core::{channel::Namespaces, model::ConnectionId};
use redis_testing::{Reply, Server, until};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

const LEASE: Duration = Duration::from_secs(1);

/// A node whose user has the documented rights.
struct Cleaner {
    broker: Arc<Broker>,
    cluster: Arc<Cluster>,
    /// The mailbox of its only worker.
    mailbox: Arc<Mailbox>,
    _guards: [DropGuard; 2],
}

async fn cleaner(server: &Server) -> Cleaner {
    server.set_user(&login(), &DOCUMENTED).await;
    let mailboxes = mailboxes();
    let (broker, guard) = start(RedisConfig { node: "cleaner".into(), ..config(server.url_of(&login())) }, mailboxes.clone());
    let settings = Settings::from_toml("[namespaces.c]\npresence = true\njoin_leave = true").expect("valid");
    let description =
        NodeDescription { name: "cleaner".into(), link: "ws://h:1".into(), public: "http://h:2".into(), shared: BTreeMap::new() };
    let timings = ClusterTimings { lease: LEASE, sweep: Duration::from_millis(500), linger: Duration::from_millis(100) };
    let inbox = (mailboxes[1].clone(), worker(1));
    let mailbox = mailboxes[0].clone();
    let cluster = Cluster::shared(
        description,
        vec![mailbox.clone()],
        broker.clone(),
        inbox,
        Namespaces::from(&settings),
        timings,
        WatchedUsers::new(64),
    );
    let (cluster, stop) = (Arc::new(cluster), CancellationToken::new());
    tokio::spawn({
        let (cluster, stop) = (cluster.clone(), stop.clone());
        async move { cluster.run(stop).await }
    });
    ready(&broker).await;
    Cleaner { broker, cluster, mailbox, _guards: [guard, stop.drop_guard()] }
}

/// Adds connections of another node to the presence of a channel. `is_registered`: the node is registered, and its lease has expired.
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
    let cleaner = cleaner(&server).await;
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
        until("a leave is refused", async || refused_announcements(&server).await.contains(&object)).await;
    }

    server.command(&["ACL", "SETUSER", "gateway", "allchannels"]).await;
    let (mut inbox, mut left) = (Inbox::new(&inboxes[0]), HashSet::new());
    while left != expected {
        if let MailboxEntry::Delivery(_, Delivery::Announcement(Announcement::Leave(info))) = inbox.next().await {
            left.insert(info.client);
        }
    }
    until("no presence is left", async || server.command(&["KEYS", "test:{c:*"]).await == Reply::List(Vec::new())).await;
    ready(&cleaner.broker).await;
}

// NL-7.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_that_cannot_be_removed_does_not_keep_the_rest_in_the_list() {
    let server = Server::start().await;
    let (dying, _dying) = start(RedisConfig { node: "dead".into(), ..config(server.url()) }, mailboxes());
    dying.nodes().expect("over Redis").register("{}", HOUR).await.expect("registered");
    for name in ["c:one", "c:two"] {
        dying.presence_add(&channel(name), client("bob")).await.expect("added");
    }
    // A value of the wrong type makes the script fail.
    server.command(&["DEL", "test:{c:two}:users"]).await;
    server.command(&["SET", "test:{c:two}:users", "x"]).await;

    let (broker, _guard) = start(config(server.url()), mailboxes());
    let nodes = broker.nodes().expect("over Redis");
    let dead = nodes.list().await.expect("listed").remove(0).id;
    let found = async || nodes.presence_step(&dead).await.expect("read");
    let channels = |orphaned: &[OrphanedPresence]| orphaned.iter().map(|one| one.channel.to_string()).collect::<BTreeSet<_>>();
    let step = found().await.expect("two connections");
    assert_eq!(channels(&step.orphaned), ["c:one", "c:two"].map(String::from).into());
    nodes.remove_presence_step(&dead, &step).await.expect_err("one of them cannot be removed");
    let key = server.command(&["KEYS", "test:node:*:presence"]).await.texts().remove(0);
    let [left] = <[String; 1]>::try_from(server.command(&["SMEMBERS", &key]).await.texts()).expect("only the one that failed");
    assert!(left.ends_with(" c:two"), "{left}");
    server.command(&["DEL", "test:{c:two}:users"]).await;
    nodes.remove_presence_step(&dead, &found().await.expect("the rest")).await.expect("removed");
    assert!(found().await.is_none());
}

/// The services accept only some of the disconnects at a time, as their credit allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnects_of_a_dead_node_go_on_every_50_ms_while_services_take_some() {
    const STEPS: u32 = 40;
    const STEP: Duration = Duration::from_millis(50);
    let server = Server::start().await;
    let cleaner = cleaner(&server).await;
    let mut offered = cleaner.cluster.dead_node_entries().expect("nobody else takes them");
    {
        let (dying, _guard) = start(RedisConfig { node: "dead".into(), ..config(server.url()) }, mailboxes());
        let nodes = dying.nodes().expect("over Redis");
        nodes.register("{}", Duration::from_millis(50)).await.expect("registered");
        let connections = (0..STEPS).map(|_| (RegistryKey::Connection(ConnectionId::random()), "bob".parse().expect("valid")));
        nodes.register_entries(&connections.collect::<Vec<_>>()).await.expect("registered");
    }
    let (mut began, mut taken) = (None, HashSet::new());
    while taken.len() < STEPS as usize {
        let DeadNodeEntries { entries, done, .. } = offered.recv().await.expect("the cluster runs");
        began.get_or_insert_with(Instant::now);
        let one = entries[0].0.clone();
        assert!(taken.insert(one.clone()), "what was taken is not offered again");
        done.try_send(one).expect("the clean-up waits for it");
    }
    let took = began.expect("it began").elapsed();
    // There is a heartbeat every third of a second. No pause follows the last step.
    assert!(took >= STEP * (STEPS - 1), "without a pause, services have no time for new credit: {took:?}");
    assert!(took < LEASE / 3 * (STEPS - 1) / 2, "one step for each heartbeat is too slow: {took:?}");
}

/// The script registers the lease and then fails, as if its answer was lost.
// NL-7.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_generation_whose_registration_got_no_answer_is_registered_again_and_its_workers_learn_of_it() {
    let server = Server::start().await;
    let cleaner = cleaner(&server).await;
    let leases = async || server.command(&["KEYS", "test:{nodes}:lease:cleaner*"]).await.texts();
    until("the node is registered", async || !leases().await.is_empty()).await;
    let first = leases().await.remove(0);
    server.command(&["ACL", "SETUSER", "gateway", "-hset"]).await;
    server.command(&["DEL", &first]).await;
    until("the node has a lease again", async || !leases().await.is_empty()).await;
    assert!(!leases().await.contains(&first), "the second generation");
    server.command(&["ACL", "SETUSER", "gateway", "+hset"]).await;
    let mut inbox = Inbox::new(&cleaner.mailbox);
    while !matches!(inbox.next().await, MailboxEntry::RegisterAgain) {}
}

/// A process that was stopped between two commands writes a hold of its old generation, after others have cleaned up after that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_of_an_earlier_generation_ends_with_the_next_hold_or_release() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    let (a, key) = (channel("c:a"), "test:{c:a}:occupancy");
    let holders = async || {
        let fields = server.command(&["HKEYS", key]).await.texts();
        fields.into_iter().filter(|field| field.contains(' ')).collect::<BTreeSet<_>>()
    };
    let hold = broker.hold(&a).await.expect("held");
    let [own] = &holders().await.into_iter().collect::<Vec<_>>()[..] else { panic!("one holder") };
    let (process, _) = own.rsplit_once('.').expect("a generation");
    let [earlier, later, other] = [format!("{process}.0"), format!("{process}.2"), "other 1234.0".to_owned()];
    let plant = async |name: &String| drop(server.command(&["HSET", key, name, "0"]).await);

    for name in [&earlier, &later, &other] {
        plant(name).await;
    }
    assert_eq!(broker.hold(&a).await.expect("held").generation, hold.generation, "the occupation goes on");
    assert_eq!(holders().await, BTreeSet::from([own.clone(), later.clone(), other.clone()]), "only what is over ends");
    for name in [&later, &other] {
        server.command(&["HDEL", key, name]).await;
    }
    plant(&earlier).await;
    assert_eq!(broker.release(&a).await.expect("released"), Release::Vacant(hold.generation));
}
