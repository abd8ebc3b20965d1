//! TLS with a real Redis. The tests make the certificates.

use super::{
    follower::name_that,
    support::{KEEP, config_of, mailboxes, not_ready, publish, ready, start},
};
use gateway::{
    broker::RedisConfig,
    testing::{
        fixtures::{Inbox, channel, offset, worker},
        internals::server_of,
    },
};
use redis_testing::{Authority, Options, SERVICE, SentinelOptions, Sentinels, Server};
use std::time::Duration;

/// Starts a server with a certificate for `name`. Returns it and its port.
async fn server(authority: &Authority, name: &str) -> (Server, u16) {
    let server = Server::start_with(Options::default().with_tls(&authority.sign(&[name]))).await;
    let port = server.address().port();
    (server, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_works_with_a_certificate_of_a_private_authority() {
    let authority = Authority::new();
    let (_server, port) = server(&authority, "127.0.0.1").await;
    let mailboxes = mailboxes();
    let (broker, _guard) =
        start(config_of(&format!("url = \"rediss://127.0.0.1:{port}\"\nca_file = {:?}", authority.file())), mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    for number in 1..=100 {
        assert_eq!(publish(&broker, "c", number).await.expect("published").offset, number);
        assert_eq!(offset(&inbox.publication().await.1), number);
    }
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_require_a_client_certificate() {
    let authority = Authority::new();
    let options = Options::default().with_tls(&authority.sign(&["localhost"])).with_certified_clients();
    let server = Server::start_with(options).await;
    let port = server.address().port();
    let anonymous = format!("url = \"rediss://localhost:{port}\"\nca_file = {:?}", authority.file());
    let own = authority.sign(&["gateway"]);
    let certified = format!("{anonymous}\ncert_file = {:?}\nkey_file = {:?}", own.certificate, own.key);
    let (broker, _guard) = start(config_of(&certified), mailboxes());
    ready(&broker).await;
    let (broker, _guard) = start(config_of(&anonymous), mailboxes());
    not_ready(&broker, "set redis.cert_file and redis.key_file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_an_untrusted_certificate_is_refused_with_a_remedy() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_server, port) = server(&theirs, "localhost").await;
    let url = format!("url = \"rediss://localhost:{port}\"");
    let (broker, _guard) = start(config_of(&format!("{url}\nca_file = {:?}", ours.file())), mailboxes());
    not_ready(&broker, &format!("that redis.ca_file ({}) trusts", ours.file())).await;
    let (broker, _guard) = start(config_of(&url), mailboxes());
    not_ready(&broker, "this machine's list of authorities").await;
    let other_name = format!("url = \"rediss://127.0.0.1:{port}\"\nca_file = {:?}", theirs.file());
    let (broker, _guard) = start(config_of(&other_name), mailboxes());
    not_ready(&broker, "contains the host of redis.url").await;
}

fn listens(authority: &Authority, name: &str) -> Options {
    Options::default().with_tls(&authority.sign(&[name]))
}

/// Publishes into one channel of each of two servers with these names.
async fn publishes_to_all(authority: &Authority, url: String, names: [&str; 2]) {
    let mailboxes = mailboxes();
    let (broker, _guard) = start(config_of(&format!("url = {url:?}\nca_file = {:?}", authority.file())), mailboxes.clone());
    ready(&broker).await;
    for (place, mailbox) in mailboxes.iter().enumerate().take(names.len()) {
        let name = name_that("c", |name| server_of(&names, name) == place);
        let mut inbox = Inbox::new(mailbox);
        broker.subscribe(&channel(&name), worker(place), Some(KEEP)).await.expect("subscribed");
        publish(&broker, &name, 1).await.expect("published");
        assert_eq!(inbox.publication().await.0, channel(&name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_a_list_may_differ_in_tls() {
    let authority = Authority::new();
    let ((tls, port), plain) = (server(&authority, "localhost").await, Server::start_with(Options::default().with_port()).await);
    let url = format!("plain=redis://{} tls=rediss://localhost:{port}", plain.address());
    publishes_to_all(&authority, url, ["plain", "tls"]).await;
    drop(tls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_may_contain_sentinels_with_tls() {
    let authority = Authority::new();
    let ((tls, port), sentinels) = (server(&authority, "localhost").await, sentinels(&authority).await);
    let url = format!("tls=rediss://localhost:{port} watched=rediss+sentinel://{}/{SERVICE}", sentinels.hosts());
    publishes_to_all(&authority, url, ["tls", "watched"]).await;
    drop(tls);
}

async fn sentinels(authority: &Authority) -> Sentinels {
    let options = SentinelOptions { listen: listens(authority, "127.0.0.1"), ..SentinelOptions::default() };
    Sentinels::start(SentinelOptions { down_after: Duration::from_millis(500), ..options }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_sentinels_with_tls_is_followed() {
    let authority = Authority::new();
    let mut sentinels = sentinels(&authority).await;
    let url = format!("url = \"rediss+sentinel://{}/{SERVICE}\"\nca_file = {:?}", sentinels.hosts(), authority.file());
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_secs(90), ..config_of(&url) }, mailboxes());
    let before = publish(&broker, "c", 1).await.expect("published");
    sentinels.master().kill();
    sentinels.fails_over().await;
    let after = publish(&broker, "c", 2).await.expect("published at the new master");
    assert_ne!(after.epoch, before.epoch);
    ready(&broker).await;
}

/// As docs/redis.md recommends, sentinels and servers announce the host names that their certificates contain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_with_tls_may_announce_host_names() {
    let authority = Authority::new();
    let listen = listens(&authority, "localhost").with(&["--replica-announce-ip", "localhost"]);
    let server = Server::start_with(listen).await;
    let port = server.address().port();
    let more = format!("sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\nsentinel monitor {SERVICE} localhost {port} 1");
    let sentinel = SentinelOptions { listen: listens(&authority, "localhost"), more, ..SentinelOptions::default() };
    let sentinel = sentinel.start_alone("sentinel").await;
    let url = format!("rediss+sentinel://localhost:{}/{SERVICE}", sentinel.address().port());
    let (broker, _guard) = start(config_of(&format!("url = {url:?}\nca_file = {:?}", authority.file())), mailboxes());
    ready(&broker).await;
    publish(&broker, "c", 1).await.expect("published");
}
