//! The broker with several independent servers: the contract, changes of the list, and failures.

use super::{
    follower::{Follower, name_that, publish_during},
    support::{DOCUMENTED, HOUR, KEEP, allow_keys, config, eventually, fixture_of, login, mailboxes, not_ready, publish, ready, start},
};
use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use gateway::{
    broker::{Broker, BrokerError, NewPublication, Readiness, RedisConfig, RegistryKey, Sweep, UserSubscription},
    contract,
    testing::{
        contract::BrokerFixture,
        fixtures::{ALL, channel, client, kept, key},
        internals::{placement, server_of},
    },
};
use gateway_core::model::{ClaimDigest, ConnectionId, Position, ReadRange, RevocableClaim, Revocation, RevocationTarget, UserId};
use redis_testing::{Options, Reply, SERVICE, SentinelOptions, Server};
use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};
use tokio::time::{Instant, sleep};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Several servers. Each has the name that belongs to its place in the list.
struct ServerList {
    servers: Vec<Server>,
}

impl ServerList {
    /// Starts servers that keep their data over a restart.
    async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in NAMES {
            servers.push(Server::start_with(Options::default().with(&["--appendonly", "yes"])).await);
        }
        Self { servers }
    }

    fn url(&self) -> String {
        url(NAMES.into_iter().zip(&self.servers))
    }
}

fn url<'a>(servers: impl IntoIterator<Item = (&'a str, &'a Server)>) -> String {
    servers.into_iter().map(|(name, server)| format!("{name}={}", server.url())).collect::<Vec<_>>().join(" ")
}

/// The name of a channel that belongs to the server at this place of the list.
fn channel_at(place: usize) -> String {
    channel_of(&NAMES, place)
}

fn channel_of(names: &[&str], place: usize) -> String {
    name_that("c", |name| server_of(names, name) == place)
}

async fn fixture() -> BrokerFixture {
    let mut all = ServerList { servers: Vec::new() };
    for _ in NAMES {
        let server = Server::start().await;
        server.set_user(&login(), &DOCUMENTED).await;
        all.servers.push(server);
    }
    fixture_of(all.url().replace(".sock", &format!(".sock{}", login().of_socket())), all)
}

contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] fixture().await }

/// Switches the audit off, so that it cannot hide a defect of the other checks.
fn without_audit(url: String) -> RedisConfig {
    RedisConfig { audit_duration: HOUR, deadline: Duration::from_secs(15), ..config(url) }
}

async fn partly(broker: &Broker, says: &str) {
    eventually(says, || matches!(broker.readiness(), Readiness::Partly(why) if why.contains(says))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_of_a_channel_are_at_one_server() {
    let all = ServerList::start().await;
    let (broker, _guard) = start(config(all.url()), mailboxes());
    for place in 0..NAMES.len() {
        let name = channel_at(place);
        publish(&broker, &name, 1).await.expect("published");
        broker.presence_add(&channel(&name), client("alice")).await.expect("added");
        for (at, server) in all.servers.iter().enumerate() {
            let keys = server.command(&["KEYS", &format!("test:{{{name}}}:*")]).await.list();
            assert_eq!(keys.len(), if at == place { 6 } else { 0 }, "meta, stream, idempotency, presence, users, nodes: {keys:?}");
        }
    }
    let listed: HashSet<_> = broker.channels("*", None, 9).await.expect("listed").into_iter().map(|one| one.name.to_string()).collect();
    assert_eq!(listed, (0..NAMES.len()).map(channel_at).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_server_affects_only_its_own_channels() {
    let mut all = ServerList::start().await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(without_audit(all.url()), mailboxes.clone());
    ready(&broker).await;
    let (away, here) = (channel_at(1), channel_at(0));
    let names = [&*away, &*here];
    let mut follower = Follower::of(&broker, &mailboxes[0], &names).await;
    let mut last = publish_during(&broker, &names, 0, sleep(Duration::ZERO)).await;
    follower.until(last).await;
    let (interruptions, resubscribed) =
        (broker.stats().redis.expect("over Redis").broken, broker.stats().redis.expect("over Redis").resubscribed);

    all.servers[1].kill();
    partly(&broker, &all.servers[1].socket().display().to_string()).await;
    assert_eq!(broker.stats().redis.map(|redis| (redis.serving, redis.unavailable)), Some((2, 1)));
    let waiting = FuturesUnordered::new();
    for number in last + 1..=last + 20 {
        waiting.push(broker.hand_over(&channel(&away), kept(number, KEEP)).await.expect("there is room"));
    }
    let mut waiting = waiting.map(|published| published.expect("in time"));
    let began = Instant::now();
    let after = publish_during(&broker, &[&here], last, sleep(Duration::ZERO)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(waiting.next().now_or_never().is_none(), "what is for the one that is away waits");
    assert!(broker.read(&channel(&here), KEEP, ReadRange::Top, ALL).await.is_ok());

    all.servers[1].resume().await;
    assert_eq!(waiting.by_ref().count().await, 20);
    ready(&broker).await;
    last += 20;
    for number in last + 1..=after {
        publish(&broker, &away, number).await.expect("published");
    }
    last = publish_during(&broker, &names, after, sleep(Duration::ZERO)).await;
    follower.until(last).await;
    follower.expect(last);
    let stats = broker.stats().redis.expect("over Redis");
    assert_eq!(stats.broken - interruptions, 1, "one connection was lost");
    assert_eq!(stats.resubscribed - resubscribed, 1, "one channel was looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_partly_ready_while_one_server_works() {
    let mut all = ServerList::start().await;
    for server in &mut all.servers[1..] {
        server.kill();
    }
    let config = || RedisConfig { deadline: Duration::from_millis(1500), ..config(all.url()) };
    let (broker, _guard) = start(config(), mailboxes());
    partly(&broker, &all.servers[1].socket().display().to_string()).await;
    partly(&broker, &all.servers[2].socket().display().to_string()).await;
    publish(&broker, &channel_at(0), 1).await.expect("published");
    assert!(matches!(publish(&broker, &channel_at(1), 1).await, Err(BrokerError::Unavailable(_))));
    all.servers[0].kill();
    not_ready(&broker, &all.servers[0].socket().display().to_string()).await;
    for server in &mut all.servers {
        server.resume().await;
    }
    ready(&broker).await;
    publish(&broker, &channel_at(1), 1).await.expect("published");
}

// NL-7.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_other_servers_is_not_ready_and_stores_nothing_anywhere() {
    let (all, other) = (ServerList::start().await, Server::start().await);
    let [a, b, c] = &all.servers[..] else { panic!("three") };
    let (one, guard) = start(config(all.url()), mailboxes());
    ready(&one).await;
    for (names, list, says) in [
        (&["a", "b"][..], url([("a", a), ("b", b)]), "for server a of a, b, other nodes take it for server a of a, b, c"),
        (
            &["a", "b", "c", "d"],
            url([("a", a), ("b", b), ("c", c), ("d", &other)]),
            "for server c of a, b, c, d, other nodes take it for server c of a, b, c",
        ),
        (&["a", "b", "c"], url([("a", b), ("b", a), ("c", c)]), "for server a of a, b, c, other nodes take it for server b of a, b, c"),
        (&["only"], b.url(), "for the only server, other nodes take it for server b of a, b, c"),
    ] {
        let config = RedisConfig { node: "newcomer".into(), deadline: Duration::from_millis(1500), ..config(list) };
        let (newcomer, _guard) = start(config, mailboxes());
        not_ready(&newcomer, says).await;
        not_ready(&newcomer, "give all nodes the same redis.url").await;
        if names.len() > NAMES.len() {
            not_ready(&newcomer, "does not use Redis at").await;
        }
        for place in 0..names.len() {
            let name = channel_of(names, place);
            let refused = publish(&newcomer, &name, 1).await;
            assert!(matches!(&refused, Err(BrokerError::Unavailable(why)) if why.contains("redis.url")), "{says}: {refused:?}");
            for server in [a, b, c, &other] {
                assert_eq!(server.command(&["KEYS", &format!("test:{{{name}}}:*")]).await, Reply::List(Vec::new()), "{says}");
            }
        }
    }
    assert_eq!(one.readiness(), Readiness::Ready, "the others go on");
    let (newcomer, _newcomer) = start(config(url([("a", a), ("b", b)])), mailboxes());
    not_ready(&newcomer, "other nodes take it for").await;
    drop(guard);
    ready(&newcomer).await;
    publish(&newcomer, &channel_of(&["a", "b"], 1), 1).await.expect("published, once all others have stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_other_servers_assigns_no_server_whose_assignment_is_lost() {
    let (a, b, c) = (Server::start().await, Server::start().await, Server::start().await);
    let lease = Duration::from_secs(2);
    let (one, _one) = start(RedisConfig { lease, ..config(url([("a", &a), ("b", &b)])) }, mailboxes());
    ready(&one).await;
    let config = RedisConfig { node: "newcomer".into(), lease, ..config(url([("a", &a), ("c", &c)])) };
    let (newcomer, _newcomer) = start(config, mailboxes());
    not_ready(&newcomer, "other nodes take it for").await;
    for _ in 0..3 {
        // The node tries again, and the server assignment refuses it again.
        sleep(lease).await;
        a.command(&["DEL", "test:assignment"]).await;
        let words = loop {
            match a.command(&["GET", "test:assignment"]).await {
                Reply::Nil => sleep(Duration::from_millis(2)).await,
                words => break words,
            }
        };
        assert_eq!(words, Reply::Text("server a of a, b".into()));
    }
    assert_eq!(one.readiness(), Readiness::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stops_using_a_server_that_others_assigned_differently() {
    let (a, b) = (Server::start().await, Server::start().await);
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_millis(1500), ..config(url([("a", &a), ("b", &b)])) }, mailboxes());
    ready(&broker).await;
    a.command(&["SET", "test:assignment", "server a of a, c"]).await;
    not_ready(&broker, "for server a of a, b, other nodes take it for server a of a, c").await;
    assert!(publish(&broker, &channel_of(&["a", "b"], 0), 1).await.is_err());
    a.command(&["DEL", "test:assignment"]).await;
    ready(&broker).await;
    publish(&broker, &channel_of(&["a", "b"], 0), 1).await.expect("published");
}

// NL-7.11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_renewals_fail_stops_using_the_server_when_its_assignment_ends() {
    let (a, b) = (Server::start().await, Server::start().await);
    a.set_user(&login(), &DOCUMENTED).await;
    let list = format!("a={} b={}", a.url_of(&login()), b.url());
    let lease = Duration::from_secs(3);
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_millis(500), lease, ..config(list) }, mailboxes());
    ready(&broker).await;
    let (at_a, at_b) = (channel_of(&["a", "b"], 0), channel_of(&["a", "b"], 1));
    publish(&broker, &at_a, 1).await.expect("published");
    let before = broker.stats().redis.expect("over Redis").broken;

    allow_keys(&a, "assignment").await;
    eventually("failed renewals are counted", || broker.stats().redis.is_some_and(|redis| redis.failed_renewals > 1)).await;
    publish(&broker, &at_a, 2).await.expect("the assignment has not ended yet");
    assert_eq!(broker.readiness(), Readiness::Ready);
    partly(&broker, "assignment").await;
    let (other, other_guard) = start(RedisConfig { node: "other".into(), lease, ..config(url([("a", &a), ("c", &b)])) }, mailboxes());
    not_ready(&other, "other nodes take it for server b of a, b").await;
    assert!(matches!(publish(&broker, &at_a, 3).await, Err(BrokerError::Unavailable(why)) if why.contains("assignment")));
    assert!(broker.stats().redis.is_some_and(|redis| redis.broken == before + 1), "the subscriber connection, too");
    publish(&broker, &at_b, 1).await.expect("the other server is not concerned");

    allow_keys(&a, "").await;
    drop(other_guard);
    ready(&broker).await;
    publish(&broker, &at_a, 3).await.expect("published");
}

/// A server without free memory refuses most writes, but not the renewal of a server assignment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_stays_assigned() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    ready(&broker).await;
    publish(&broker, "c", 1).await.expect("published");
    let before = broker.stats().redis.expect("over Redis").broken;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    not_ready(&broker, "it has reached maxmemory").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(broker.stats().redis.map(|redis| (redis.failed_renewals, redis.broken)), Some((0, before)));
    assert!(broker.read(&channel("c"), KEEP, ReadRange::Top, ALL).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_server_has_its_own_sentinels() {
    let server = async || Server::start_with(Options::default().with_port()).await;
    let (old, new) = (server().await, server().await);
    let other_at = new.address().port().to_string();
    let (sentinel, whole) = (SentinelOptions::default().start_sentinel("sentinel", old.address(), 1).await, Server::start().await);
    let list = format!("moved=redis+sentinel://{}/{SERVICE} stays={}", sentinel.address(), whole.url());
    let (broker, _guard) = start(without_audit(list), mailboxes());
    ready(&broker).await;
    let names = ["moved", "stays"];
    let (moved, stays) = (channel_of(&names, 0), channel_of(&names, 1));
    let before = [position(&broker, &moved).await, position(&broker, &stays).await];
    sentinel.command(&["SENTINEL", "REMOVE", SERVICE]).await;
    sentinel.command(&["SENTINEL", "MONITOR", SERVICE, "127.0.0.1", &other_at, "1"]).await;
    eventually("it is noticed", || broker.stats().redis.is_some_and(|redis| redis.broken > 0)).await;
    ready(&broker).await;
    let after = [position(&broker, &moved).await, position(&broker, &stays).await];
    assert!(after[0].epoch != before[0].epoch && after[0].offset == 1, "it is another server");
    assert_eq!(after[1], Position { offset: 2, ..before[1] });
}

async fn position(broker: &Broker, name: &str) -> Position {
    broker.publish(&channel(name), kept(1, KEEP)).await.expect("published").position.expect("kept")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clean_up_after_a_dead_node_covers_all_servers() {
    let all = ServerList::start().await;
    let node = |name: &str| start(RedisConfig { node: name.into(), ..config(all.url()) }, mailboxes());
    let ((living, _one), (dying, _two), (lost, _three)) = (node("living"), node("dying"), node("lost"));
    let nodes = living.nodes().expect("over Redis");
    nodes.register("{}", HOUR).await.expect("entered");
    dying.nodes().expect("over Redis").register("{}", Duration::from_millis(50)).await.expect("entered");
    let mut expected = HashSet::new();
    for (broker, times) in [(&dying, 30), (&lost, 15)] {
        for number in 0..times {
            let info = client("bob");
            broker.presence_add(&channel(&format!("c:{number}")), info.clone()).await.expect("added");
            expected.insert(info.client);
        }
    }
    let dead = loop {
        let dead = nodes.list().await.expect("listed").into_iter().find(|node| !node.is_alive);
        if let Some(dead) = dead {
            break dead.id;
        }
        tokio::task::yield_now().await;
    };
    nodes.set_may_declare_dead(true);
    let mut found = HashSet::new();
    assert!(nodes.lock_cleanup(&dead, HOUR).await.expect("asked"));
    while let Some(step) = nodes.presence_step(&dead).await.expect("read") {
        nodes.remove_presence_step(&dead, &step).await.expect("removed");
        found.extend(step.orphaned.into_iter().map(|left| left.info.client));
    }
    assert_eq!(found.len(), 30);
    let mut sweep = Sweep::default();
    while !sweep.is_over() {
        let orphaned = nodes.sweep(&mut sweep).await.expect("swept").orphaned;
        nodes.remove_orphaned(&orphaned).await.expect("removed");
        found.extend(orphaned.into_iter().map(|left| left.info.client));
    }
    assert_eq!(found, expected, "nobody knew of the others");
    for server in &all.servers {
        assert_eq!(server.command(&["KEYS", "test:{c:*"]).await, Reply::List(Vec::new()));
    }
}

/// Writes every kind of key that `schema/keys.rs` lists, by the operation that writes it in a gateway.
async fn write_all_kinds(broker: &Broker, names: &[String]) {
    let nodes = broker.nodes().expect("over Redis");
    nodes.register("{}", HOUR).await.expect("registered");
    for name in names {
        let user: UserId = name.parse().expect("valid");
        broker.publish(&channel(name), NewPublication { identity: Some(key("dev", "k", 1)), ..kept(1, KEEP) }).await.expect("published");
        broker.presence_add(&channel(name), client(name)).await.expect("added");
        broker.put_user_subscription(&user, UserSubscription { channel: channel(name), expires_at: None }).await.expect("stored");
        let revocation = Revocation { until: 1, code: 4500, reason: "x".into() };
        let claim = RevocationTarget::Claim(RevocableClaim::Session, ClaimDigest::new("", RevocableClaim::Session, name));
        for target in [RevocationTarget::User(user.clone()), claim] {
            broker.revoke(&target, revocation.clone(), HOUR).await.expect("stored");
        }
        nodes.register_entries(&[(RegistryKey::Connection(ConnectionId::random()), user)]).await.expect("registered");
    }
}

async fn keys_of(server: &Server) -> BTreeSet<String> {
    let mine = |key: &String| !["test:assignment", "test:probe:", "test:writes:"].iter().any(|of_server| key.starts_with(of_server));
    server.command(&["KEYS", "test:*"]).await.texts().into_iter().filter(mine).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_deletes_only_the_keys_that_belong_to_another_server() {
    let servers = [Server::start().await, Server::start().await];
    let [a, b] = &servers;
    let names: Vec<_> = (0..60).map(|number| format!("c{number}")).collect();
    let (only, guard) = start(RedisConfig { idempotency_ttl: HOUR, ..config(a.url()) }, mailboxes());
    write_all_kinds(&only, &names).await;
    drop((only, guard));
    for foreign in ["other:{c1}:stream", "test2:{c1}:stream", "test:no gateway wrote this"] {
        a.command(&["SET", foreign, "x"]).await;
    }
    let before = keys_of(a).await;
    let (broker, _guard) = start(RedisConfig { node: "later".into(), ..config(url([("a", a), ("b", b)])) }, mailboxes());
    ready(&broker).await;
    let (place, mut sweep) = (placement(&["a", "b"]), Sweep::default());
    let nodes = broker.nodes().expect("over Redis");
    a.command(&["ACL", "SETUSER", "default", "-unlink"]).await;
    let mut refused = 0;
    while !sweep.is_over() {
        if nodes.sweep(&mut sweep).await.is_err() {
            refused += 1;
            a.command(&["ACL", "SETUSER", "default", "+unlink"]).await;
        }
    }
    assert_eq!(refused, 1, "the step after the error tries the same keys again");
    let stays = |key: &&String| place(key) == 0 || *key == "test:no gateway wrote this";
    let expected: BTreeSet<_> = before.iter().filter(stays).cloned().collect();
    let after = keys_of(a).await;
    assert_eq!(after.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new(), "what belongs to the other server is gone");
    assert!(expected.len() < before.len());
    for kind in [":meta", ":stream", ":presence", ":users", "}:nodes", ":idempotency", ":names:", ":user:", ":revoked:"] {
        let has = |keys: &BTreeSet<String>| keys.iter().any(|key| key.contains(kind));
        assert!(has(&expected) && before.difference(&expected).any(|key| key.contains(kind)), "{kind} is tried both ways");
        assert!(has(&after), "{kind} stays where it belongs");
    }
    for foreign in ["other:{c1}:stream", "test2:{c1}:stream"] {
        assert_eq!(a.command(&["EXISTS", foreign]).await, Reply::Number(1), "{foreign}");
    }
    let deleted = before.difference(&expected).count() as u64;
    assert_eq!(broker.stats().redis.map(|redis| redis.misplaced), Some(deleted));
}
