//! Both listeners of a gateway's own process, as any HTTP client meets them.

use shared_proto::http::testing::{Client, OFFERS, Process, free_address, keeps_connections, keeps_connections_for_a_second};
use std::{net::SocketAddr, process::Command, thread, time::Duration};

/// A gateway as a process of its own.
pub(crate) struct Gateway {
    process: Process,
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
        Self { process: Process::start(&mut command, internal), public, internal }
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
fn connections_are_kept_whatever_upgrade_is_offered() {
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
        keeps_connections(address, request);
    }
}

#[test]
fn connections_are_kept_for_as_long_as_is_set() {
    let gateway = Gateway::start(&["public.keep_alive=1s", "internal.keep_alive=1s"]);
    keeps_connections_for_a_second(gateway.public);
    keeps_connections_for_a_second(gateway.internal);
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

#[test]
#[expect(clippy::disallowed_methods, reason = "the gateway stands still for so long, and nothing else can happen")]
fn a_request_that_came_while_the_gateway_stood_still_is_answered() {
    let gateway = Gateway::start(&["public.request_timeout=2s", "internal.request_timeout=2s"]);
    let signal = |name: &str| {
        let done = Command::new("kill").args(["-s", name, &gateway.process.id().to_string()]).status().expect("kill is there");
        assert!(done.success());
    };
    let addresses = [gateway.public, gateway.internal];
    let mut clients = addresses.map(Client::connect);
    // The gateway has accepted them when it has answered those that came after them.
    let _others = addresses.map(|address| Client::connect(address).ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
    signal("STOP");
    for client in &mut clients {
        client.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    thread::sleep(Duration::from_millis(3500));
    signal("CONT");
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!((answer.status, &*answer.body), (200, "alive\n"));
    }
}
