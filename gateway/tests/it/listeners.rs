//! Both listeners of a gateway's own process, as any HTTP client meets them.

use shared_proto::http::testing::{Client, OFFERS, Process, free_address, ignores_offers};
use std::{net::SocketAddr, process::Command};

/// A gateway as a process of its own.
pub(crate) struct Gateway {
    _process: Process,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

impl Gateway {
    /// With the settings for development, and these.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let (public, internal) = (free_address(), free_address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/config/dev.toml")]);
        let addresses = [format!("public.address={public}"), format!("internal.address={internal}")];
        for setting in addresses.iter().map(String::as_str).chain(settings.iter().copied()) {
            command.args(["--set", setting]);
        }
        Self { _process: Process::start(&mut command, internal), public, internal }
    }
}

/// A publish, by REST.
fn publish(lines: &str) -> String {
    let body = r#"{"data":"x"}"#;
    format!(
        "POST /v1/channels/news:c/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}

#[test]
fn offers_of_other_protocols_are_ignored_and_connections_kept() {
    let gateway = Gateway::start(&[]);
    let demo = "POST /demo/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"user\":\"alice\"}";
    let chunked =
        "POST /v1/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    for (address, request) in [
        (gateway.public, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        (gateway.public, demo),
        (gateway.public, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"),
        (gateway.internal, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"),
        (gateway.internal, &publish("")),
        (gateway.internal, chunked),
    ] {
        ignores_offers(address, request);
    }
}

#[test]
fn a_hundred_posts_that_offer_http_2_go_over_one_connection() {
    let gateway = Gateway::start(&[]);
    let mut client = Client::connect(gateway.internal);
    for _ in 0..100 {
        let answer = client.ask(publish(OFFERS[0]));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn a_link_is_opened_whatever_else_is_offered() {
    let gateway = Gateway::start(&[]);
    for offered in ["websocket", "h2c, websocket", "websocket, h2c", "h2c\r\nUpgrade: WebSocket"] {
        let mut client = Client::connect(gateway.internal);
        let answer = client.ask(format!(
            "GET /v1/services/chatbot/link HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nConnection: Upgrade\r\nUpgrade: {offered}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        assert_eq!(answer.status, 101, "{offered}: {answer:?}");
    }
}
