//! TLS with a real Redis, whose certificates are made here.

use super::support::{KEEP, config_of, mailboxes, not_ready, publish, ready, start};
use gateway::testing::fixtures::{Inbox, channel, offset, worker};
use redis_testing::{Authority, Options, Server};

/// A server that shows a certificate for `name`.
async fn server(authority: &Authority, name: &str) -> (Server, u16) {
    let server = Server::start_with(Options::default().with_tls(&authority.sign(&[name]))).await;
    let port = server.address().port();
    (server, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publications_go_through_tls_to_a_server_that_a_private_authority_vouches_for() {
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
async fn a_server_may_ask_for_a_certificate_of_ours() {
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
async fn a_server_that_nobody_trusts_is_refused_and_the_authority_named() {
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
