//! The Rust client of services (`shared_proto::client`) at an internal listener where services need certificates.

use super::support::{NAME, pair, settings};
use crate::public::start_with;
use redis_testing::{Authority, Certificate};
use serde_json::value::to_raw_value;
use shared_proto::{
    client::{
        Failure, TlsFiles,
        link::{self, CallResult, Link, Publication},
        rest::{self, Gateway, Publishing},
    },
    link::Call,
    rest::PublishRequest,
};
use std::{fs, net::SocketAddr, time::Duration};
use tokio::time::timeout;

const TIME: Duration = Duration::from_secs(10);

/// A gateway whose certificate has a name, and whose address is another one.
struct Node {
    address: SocketAddr,
    authority: Authority,
    clients: Authority,
}

impl Node {
    fn start() -> Self {
        let (authority, clients) = (Authority::new(), Authority::new());
        let tls = format!("[internal.tls]\npairs = [{}]\nclient_ca_file = {:?}", pair(&authority.sign(&[NAME])), clients.file());
        Self { address: start_with(settings(&tls)).1, authority, clients }
    }

    fn files(&self, own: &Certificate) -> TlsFiles {
        TlsFiles { ca_file: self.authority.file(), cert_file: own.certificate.clone(), key_file: own.key.clone(), server_name: NAME.into() }
    }

    fn rest(&self, tls: TlsFiles) -> Gateway {
        let urls = vec![format!("https://{}", self.address)];
        let config = rest::Config { urls, api_key: "dev".into(), connect_timeout: TIME, timeout: TIME, tls };
        Gateway::new(&config).expect("the settings are right")
    }

    fn link(&self, tls: TlsFiles) -> Link {
        let mut config = link::Config::new("bot", vec![format!("https://{}", self.address)], "dev");
        config.tls = tls;
        Link::start(config, echo).expect("the settings are right")
    }
}

async fn echo(call: Call) -> CallResult {
    Ok(call.data)
}

async fn publish(gateway: &Gateway) -> Result<u64, Failure> {
    let body = PublishRequest { data: Some(to_raw_value(&1).expect("JSON")), ..PublishRequest::default() };
    gateway.publish("news:c", &body, &Publishing::default()).await.map(|position| position.offset)
}

#[tokio::test]
async fn rest_and_links_work_with_the_certificate_of_the_service() {
    let node = Node::start();
    let files = node.files(&node.clients.sign(&["bot"]));
    let gateway = node.rest(files.clone());
    assert_eq!((publish(&gateway).await, publish(&gateway).await), (Ok(1), Ok(2)));
    let nodes = gateway.nodes().await.expect("answered");
    assert_eq!(nodes.nodes.len(), 1);
    let link = node.link(files);
    timeout(TIME, link.ready()).await.expect("linked");
    let publication = Publication::new("news:c", &1).expect("JSON");
    let position = link.publisher().publish(publication, TIME).await.expect("published");
    assert_eq!(position.offset, 3);
    assert!(link.shutdown(TIME).await);
}

#[tokio::test]
async fn a_node_or_a_service_without_the_right_certificate_is_refused() {
    let node = Node::start();
    let others = Authority::new();
    let (good, foreign) = (node.clients.sign(&["bot"]), others.sign(&["bot"]));
    let files = node.files(&good);
    for (name, wrong) in [
        ("another authority of the node", TlsFiles { ca_file: node.clients.file(), ..files.clone() }),
        ("no name: the address is not in the certificate", TlsFiles { server_name: String::new(), ..files.clone() }),
        ("another name", TlsFiles { server_name: "other.test".into(), ..files.clone() }),
    ] {
        let failure = publish(&node.rest(wrong.clone())).await.expect_err(name);
        assert!(failure.code() == "unreachable" && failure.to_string().contains("certificate"), "{name}: {failure}");
        assert!(timeout(Duration::from_millis(300), node.link(wrong).ready()).await.is_err(), "{name}");
    }
    for (name, wrong) in [
        ("no certificate of the service", TlsFiles { cert_file: String::new(), key_file: String::new(), ..files.clone() }),
        ("another authority of the service", TlsFiles { cert_file: foreign.certificate, key_file: foreign.key, ..files.clone() }),
    ] {
        publish(&node.rest(wrong.clone())).await.expect_err(name);
        assert!(timeout(Duration::from_millis(300), node.link(wrong).ready()).await.is_err(), "{name}");
    }
    assert_eq!(publish(&node.rest(files)).await, Ok(1), "nothing of the refused ones was carried out");
}

#[tokio::test]
async fn new_files_are_used_by_the_next_connection() {
    let node = Node::start();
    let own = node.clients.sign_between(&["bot"], 2000, 2020);
    let files = node.files(&own);
    let (gateway, link) = (node.rest(files.clone()), node.link(files));
    publish(&gateway).await.expect_err("the certificate has expired");
    // A half of the change: the certificate does not fit the key, so the earlier pair is used, which has expired.
    let new = node.clients.sign(&["bot"]);
    fs::copy(&new.certificate, &own.certificate).expect("copied");
    publish(&gateway).await.expect_err("the pair does not fit");
    fs::copy(&new.key, &own.key).expect("copied");
    assert_eq!(publish(&gateway).await, Ok(1));
    timeout(TIME, link.ready()).await.expect("linked");
}
