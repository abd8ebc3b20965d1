//! The internal listener, where services need certificates.

use super::support::{NAME, VERSIONS, pair, settings, trusting};
use crate::{client::Client, public::start_with, store_errors::until};
use redis_testing::{Authority, Certificate};
use std::{net::SocketAddr, process::Command};

const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";

/// Starts a gateway whose internal listener asks for certificates of `clients`. Returns its address.
fn start(own: &Certificate, clients: &Authority) -> SocketAddr {
    start_with(settings(&format!("[internal.tls]\npairs = [{}]\nclient_ca_file = {:?}", pair(own), clients.file()))).1
}

/// The answer to a request. `None`: the handshake or the request was refused.
fn ask(
    address: SocketAddr,
    authority: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
    own: Option<&Certificate>,
) -> Option<String> {
    let mut client = Client::connect(address).with_tls(trusting(authority, &[version], own), NAME);
    client.handshake().ok()?;
    client.exchange(LIVE).ok().filter(|answer| !answer.is_empty())
}

#[test]
fn only_clients_with_a_certificate_reach_the_internal_listener() {
    let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let address = start(&authority.sign(&[NAME]), &clients);
    let (good, foreign, old) = (clients.sign(&["bot"]), others.sign(&["bot"]), clients.sign_between(&["bot"], 2000, 2020));
    for version in VERSIONS {
        // Twice: no session is resumed without its certificate.
        for _ in 0..2 {
            let answer = ask(address, &authority, version, Some(&good)).expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert_eq!(ask(address, &authority, version, None), None, "without a certificate");
            assert_eq!(ask(address, &authority, version, Some(&foreign)), None, "of another authority");
            assert_eq!(ask(address, &authority, version, Some(&old)), None, "expired");
        }
    }
    let refused = r#"switchboard_http_connection_errors_total{cause="tls_certificate",listener="internal"} 12"#;
    until("the count of all", || {
        let mut client = Client::connect(address).with_tls(trusting(&authority, &VERSIONS, Some(&good)), NAME);
        client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        String::from_utf8_lossy(&client.rest()).contains(refused)
    });
}

#[test]
fn health_reaches_a_listener_with_tls() {
    let authority = Authority::new();
    let own = authority.sign(&[NAME]);
    let health = |address: SocketAddr, more: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["health", "--set", &format!("internal.address={address}")]);
        for setting in more {
            command.args(["--set", setting]);
        }
        let asked = command.output().expect("run");
        (asked.status.code(), String::from_utf8([asked.stdout, asked.stderr].concat()).expect("text"))
    };
    let pairs = format!("internal.tls.pairs={}={}", own.certificate, own.key);
    let address = start_with(settings(&format!("[internal.tls]\npairs = [{}]", pair(&own)))).1;
    assert_eq!(health(address, std::slice::from_ref(&pairs)), (Some(0), "ready\n".into()));
    let address = start(&own, &authority);
    let client_ca = format!("internal.tls.client_ca_file={}", authority.file());
    assert_eq!(health(address, &[pairs.clone(), client_ca]), (Some(0), "ready\n".into()));
    let (code, text) = health(address, &[pairs]);
    assert!(code == Some(1) && text.contains(&format!("no gateway answers at https://{address}/readyz")), "{text}");
}

#[test]
fn a_name_in_the_certificate_of_a_service_stands_for_its_key() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let keys = "[[api_keys]]\nname = \"orders\"\ncertificate = \"Orders.internal\"\nscopes = [\"publish:news:*\"]\n\
        [[api_keys]]\nname = \"ops\"\ncertificate = \"ops.internal\"";
    let own = pair(&authority.sign(&[NAME]));
    let address = start_with(settings(&format!("{keys}\n[internal.tls]\npairs = [{own}]\nclient_ca_file = {:?}", clients.file()))).1;
    let ask = |certificate: &Certificate, method: &str, path: &str, lines: &str| {
        let body = if method == "POST" { "{\"data\":1}" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{lines}\r\n{body}",
            body.len()
        );
        let mut client = Client::connect(address).with_tls(trusting(&authority, &VERSIONS, Some(certificate)), NAME);
        let answer = client.exchange(request.as_bytes()).expect("an answer");
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    let publish = |certificate: &Certificate, channel: &str, lines: &str| {
        ask(certificate, "POST", &format!("/v1/channels/{channel}/publications"), lines)
    };
    let (orders, ops) = (clients.sign(&["a.internal", "orders.internal"]), clients.sign(&["ops.internal"]));
    assert_eq!(publish(&orders, "news:a", ""), "200");
    assert_eq!(publish(&orders, "chat:a", ""), "403", "its scopes count");
    assert_eq!(ask(&ops, "GET", "/v1/nodes", ""), "200");
    // What a caller says counts before what its certificate says.
    assert_eq!(publish(&ops, "news:a", "Authorization: Bearer dev\r\n"), "200");
    for lines in ["Authorization: Bearer wrong\r\n", "Authorization: \r\n", "Authorization: Basic b3Bz\r\n", "Authorization: \u{e9}\r\n"] {
        assert_eq!(publish(&ops, "news:a", lines), "401", "{lines:?}");
    }
    for names in [&["other.internal"][..], &["*.internal"], &["orders.internal.evil.example"], &["xorders.internal"]] {
        assert_eq!(publish(&clients.sign(names), "news:a", ""), "401", "{names:?}");
    }
}
