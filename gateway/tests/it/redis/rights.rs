//! The rights of the user in `redis.url`.

use super::support::{DOCUMENTED, KEEP, allow_keys, config, login, mailboxes, not_ready, publish, ready, start, with_queues};
use gateway::{
    broker::{MailboxEntry, RedisConfig, RedisUsers},
    settings::Settings,
    testing::{
        fixtures::{Inbox, channel, worker},
        internals::{load_scripts, trials},
    },
};
use redis_testing::{Login, Reply, Server};
use std::time::Duration;
use tokio::time::timeout;

/// Creates a user with these rights. Returns the value of `redis.url` for it.
async fn user(server: &Server, rights: &[&str]) -> String {
    server.set_user(&login(), rights).await;
    server.url_of(&login())
}

// NL-7.12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_is_found_at_the_start_and_named() {
    let server = Server::start().await;
    for (taken, says) in [
        ("-evalsha", "'evalsha' command"),
        // Before Redis 7, the message contains only 'script'.
        ("-script", "run the 'script"),
        ("-publish", "'publish' command"),
        ("-subscribe", "SUBSCRIBE on test:probe:{node-1:"),
        ("resetchannels &other:*", "SUBSCRIBE on test:probe:{node-1:"),
        ("resetkeys ~other:*", "the script assign on test:assignment"),
        ("resetkeys ~test:assignment", "DEL on test:probe:{node-1:"),
        ("-xadd", "the script publish on test:probe:{node-1:"),
        ("-hincrby", "the script presence_add on test:probe:{node-1:"),
        ("-xinfo", "XINFO on test:probe:{node-1:"),
        ("-unlink", "UNLINK on test:probe:{node-1:"),
        ("-scan", "SCAN on test:probe:{node-1:"),
        ("-xautoclaim", "the script queue_acquire on test:probe:{node-1:"),
        ("-xreadgroup", "the script queue_read on test:probe:{node-1:"),
        ("-xread", "XREAD on test:probe:{node-1:"),
        ("-info", "'info' command"),
    ] {
        let rights: Vec<_> = DOCUMENTED.into_iter().chain(taken.split(' ')).collect();
        let url = user(&server, &rights).await;
        let (broker, _guard) = start(config(url), mailboxes());
        not_ready(&broker, says).await;
        not_ready(&broker, "Give the user the rights that \"gateway redis-acl\" prints").await;
        server.command(&[&["ACL", "SETUSER", "gateway", "resetchannels"], &DOCUMENTED[..]].concat()).await;
        ready(&broker).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_the_check_of_rights_expire() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    ready(&broker).await;
    let keys = server.command(&["KEYS", "*"]).await.texts();
    assert!(!keys.is_empty(), "it was tried");
    for key in keys {
        let life = server.command(&["PTTL", &key]).await;
        assert!(matches!(life, Reply::Number(-2 | 1..=10_000)), "{key}: {life:?}");
    }
}

#[tokio::test]
async fn the_check_of_rights_uses_the_keys_of_the_scripts() {
    let server = Server::start().await;
    let mut connection = server.connection().await;
    let (scripts, count) = load_scripts();
    connection.send(&scripts).await.expect("sent");
    for _ in 0..count {
        connection.reply().await.expect("loaded");
    }
    for (what, trial) in trials("test", "node-1") {
        connection.send(&trial).await.expect("sent");
        connection.reply().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

// NL-2.2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_publication_whose_announcement_is_refused_is_read_from_the_history() {
    let server = Server::start().await;
    let (url, mailboxes) = (user(&server, &DOCUMENTED).await, mailboxes());
    let (broker, _guard) = start(config(url), mailboxes.clone());
    ready(&broker).await;
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    server.command(&["ACL", "SETUSER", "gateway", "-publish"]).await;
    assert_eq!(publish(&broker, "c", 1).await.expect("stored").offset, 1);
    assert_eq!(broker.stats().redis.map(|redis| redis.unannounced), Some(1));
    let reads = async { while !matches!(inbox.next().await, MailboxEntry::Dirty(name) if name == channel("c")) {} };
    timeout(Duration::from_secs(10), reads).await.expect("the worker reads the history");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_the_right_to_check_writes_is_not_ready() {
    let server = Server::start().await;
    let url = user(&server, &DOCUMENTED).await;
    let (broker, _guard) = start(config(url), mailboxes());
    ready(&broker).await;
    allow_keys(&server, "writes:*").await;
    not_ready(&broker, "no permissions to access one of the keys").await;
    allow_keys(&server, "").await;
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_may_not_wait_for_replicas_is_not_ready_if_it_has_to() {
    let server = Server::start().await;
    let rights: Vec<_> = DOCUMENTED.into_iter().chain(["-wait"]).collect();
    let url = user(&server, &rights).await;
    let (broker, _guard) = start(with_queues(config(url.clone())), mailboxes());
    ready(&broker).await;
    let mut waits = with_queues(config(url));
    waits.queues.as_mut().expect("with queues").replicas = 1;
    let (broker, _guard) = start(RedisConfig { node: "node-2".into(), ..waits }, mailboxes());
    not_ready(&broker, "WAIT on test:probe:{node-2:").await;
    server.command(&["ACL", "SETUSER", "gateway", "+wait"]).await;
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_users_may_do_their_work_and_nothing_else() {
    let server = Server::start().await;
    let settings = "redis.prefix = \"test\"\nbroker.kind = \"redis\"\n[ingest]\nchannels = [\"*\"]\n[services.log]\nreach = \"queue\"\n[queues]\nreplicas = 1";
    let users = RedisUsers::try_from(&Settings::from_toml(settings).expect("valid")).expect("valid").to_string();
    for command in users.lines().filter(|line| line.starts_with("ACL ")) {
        server.command(&command.replace("PASSWORD", "secret").split(' ').collect::<Vec<_>>()).await;
    }
    let mut waits = with_queues(config(server.url_of(&Login::new("test", "secret"))));
    waits.queues.as_mut().expect("with queues").replicas = 1;
    let (broker, _guard) = start(waits, mailboxes());
    ready(&broker).await;

    let (entries, stream) = ("test:queue:{log/0}:entries", "test:ingest:{0}:stream");
    for (user, command, allowed) in [
        ("test-log", format!("XGROUP CREATE {entries} consumers 0 MKSTREAM"), true),
        ("test-log", format!("XREADGROUP GROUP consumers one STREAMS {entries} >"), true),
        ("test-log", format!("XACK {entries} consumers 1-0"), true),
        ("test-log", format!("XDEL {entries} 1-0"), true),
        ("test-log", format!("XADD {entries} * id 1"), false),
        ("test-log", format!("XDEL {stream} 1-0"), false),
        ("test-log", "XDEL test:queue:{bot/0}:entries 1-0".to_owned(), false),
        ("test-ingest", format!("XADD {stream} * channel c data 1"), true),
        ("test-ingest", format!("XRANGE {stream} - +"), false),
        ("test-ingest", format!("XADD {entries} * id 1"), false),
        ("test-ingest", "PUBLISH test:c:{c} 1".to_owned(), false),
        ("test", "FLUSHALL".to_owned(), false),
        ("test", "CONFIG GET *".to_owned(), false),
        ("test", "GET other:key".to_owned(), false),
    ] {
        let mut connection = server.connection().await;
        connection.command(&["AUTH", user, "secret"]).await.expect("the user exists");
        let answer = connection.command(&command.split(' ').collect::<Vec<_>>()).await;
        let denied = matches!(&answer, Err(error) if error.to_string().contains("NOPERM"));
        assert_eq!(denied, !allowed, "{user}: {command}: {answer:?}");
    }
}
