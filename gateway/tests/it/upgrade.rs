//! Upgrade requests of every kind.

use super::client::{Client, Frame, KEY, handshake, masked, shared};
use super::echo::Echo;
use gateway::{
    server::{self, Listeners},
    settings::Settings,
    telemetry::Telemetry,
};
use shared_proto::rest::Problem;
use std::{net::SocketAddr, sync::LazyLock, thread, time::Duration};

/// A correct handshake in which `replacement` takes the place of one line. An empty replacement removes the line.
fn with(line: &str, replacement: &str) -> String {
    let request = handshake("/");
    assert!(request.contains(line), "{line} is not in the request");
    let replacement = if replacement.is_empty() { String::new() } else { format!("{replacement}\r\n") };
    request.replace(&format!("{line}\r\n"), &replacement)
}

fn plus(path: &str, lines: &str) -> String {
    handshake(path).replace("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"))
}

/// Sends a request that the server must refuse, and checks that it closes the connection without a reset. Returns the head of the answer
/// and its problem document.
fn refused(request: &str) -> (String, Problem) {
    let mut client = Client::connect(shared());
    client.send(request.as_bytes());
    client.finish();
    let head = client.head();
    let body = client.rest();
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error} in {body:?} after {head}\n for {request}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {} {}\r\n", problem.status, problem.title)), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    for line in ["Content-Type: application/problem+json\r\n", "Connection: close\r\n", "Cache-Control: no-store\r\n"] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    (head, problem)
}

#[test]
fn every_bad_request_is_refused_with_its_reason() {
    let version = "Sec-WebSocket-Version: 13";
    let key = &format!("Sec-WebSocket-Key: {KEY}");
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("POST", handshake("/").replace("GET", "POST"), 405, "method_not_allowed"),
        ("HEAD", handshake("/").replace("GET", "HEAD"), 405, "method_not_allowed"),
        ("a method nobody knows", handshake("/").replace("GET", "BREW"), 405, "method_not_allowed"),
        ("CONNECT", "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n".into(), 405, "method_not_allowed"),
        ("CONNECT as an upgrade", handshake("/").replace("GET /", "CONNECT a:1"), 405, "method_not_allowed"),
        ("no version", with(version, ""), 426, "upgrade_required"),
        ("an old version", with(version, "Sec-WebSocket-Version: 8"), 426, "upgrade_required"),
        ("a version that is no number", with(version, "Sec-WebSocket-Version: 13.0"), 426, "upgrade_required"),
        ("two versions", plus("/", version), 400, "bad_request"),
        ("no key", with(key, ""), 400, "bad_request"),
        ("a short key", with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), 400, "bad_request"),
        ("a key that is not base64", with(key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!"), 400, "bad_request"),
        ("an empty key", with(key, "Sec-WebSocket-Key:"), 400, "bad_request"),
        ("two keys", plus("/", key), 400, "bad_request"),
        ("no Connection", with("Connection: Upgrade", ""), 400, "bad_request"),
        ("keep-alive", with("Connection: Upgrade", "Connection: keep-alive"), 400, "bad_request"),
        ("upgrade, close", with("Connection: Upgrade", "Connection: Upgrade, close"), 400, "bad_request"),
        ("a body", plus("/", "Content-Length: 5") + "hello", 400, "bad_request"),
        ("a foreign origin", plus("/same-origin", "Origin: http://evil.example"), 403, "origin_not_allowed"),
        ("no origin, as of a sandboxed frame", plus("/same-origin", "Origin: null"), 403, "origin_not_allowed"),
        ("two origins", plus("/same-origin", "Origin: http://localhost\r\nOrigin: http://localhost"), 403, "origin_not_allowed"),
        ("an origin on another port", plus("/same-origin", "Origin: http://localhost:81"), 403, "origin_not_allowed"),
        ("full", handshake("/full"), 503, "connection_limit"),
        ("draining", handshake("/draining"), 503, "draining"),
        ("a detail that would break a head", handshake("/odd"), 400, "bad_request"),
    ];
    for (name, request, status, code) in cases {
        let (head, problem) = refused(&request);
        assert_eq!((problem.status, &*problem.code), (status, code), "{name}: {problem:?}");
        assert!(!problem.detail.is_empty(), "{name}");
        assert_eq!(problem.retryable, status == 503, "{name}");
        assert_eq!(head.contains("Sec-WebSocket-Version: 13\r\n"), status == 426, "{name}");
        assert_eq!(head.contains("Allow: GET\r\n"), status == 405, "{name}");
        assert_eq!(head.contains("Retry-After: "), status == 503, "{name}");
        assert!(!head.contains("X:"), "{name}");
    }
}

#[test]
fn a_request_without_a_host_is_refused_before_it_is_an_upgrade() {
    let mut client = Client::connect(shared());
    client.send(with("Host: localhost", "").as_bytes());
    assert!(client.head().starts_with("HTTP/1.1 400 "));
    assert_eq!(client.rest(), b"");
}

#[test]
fn pauses_are_rounded_up_to_seconds() {
    assert!(refused(&handshake("/full")).0.contains("Retry-After: 2\r\n"));
    assert!(refused(&handshake("/draining")).0.contains("Retry-After: 5\r\n"));
}

#[test]
fn a_refusal_arrives_whole_although_the_client_goes_on_sending() {
    let mut client = Client::connect(shared());
    client.send(handshake("/full").as_bytes());
    for _ in 0..64 {
        client.send(&[0x81; 4096]);
    }
    client.finish();
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 503 "));
    let problem: Problem = serde_json::from_slice(&client.rest()).expect("whole");
    assert_eq!(problem.status, 503);
}

#[test]
fn a_refused_client_that_never_stops_sending_is_disconnected_after_a_second() {
    let mut client = Client::connect(shared());
    client.send(handshake("/full").as_bytes());
    client.head();
    client.rest();
    client.send_until_cut();
}

#[test]
fn the_answer_accepts_the_key_and_names_no_more_than_was_asked() {
    let mut client = Client::connect(shared());
    client.send(handshake("/any/path?with=query").as_bytes());
    assert_eq!(
        client.head(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn what_is_offered_decides_the_subprotocol() {
    for (offered, echoed) in [
        ("Sec-WebSocket-Protocol: centrifuge-json", Some("centrifuge-json")),
        ("Sec-WebSocket-Protocol: centrifuge-protobuf", Some("centrifuge-protobuf")),
        ("Sec-WebSocket-Protocol: centrifuge-protobuf, centrifuge-json", Some("centrifuge-json")),
        ("Sec-WebSocket-Protocol: centrifuge-protobuf\r\nSec-WebSocket-Protocol: centrifuge-json", Some("centrifuge-json")),
        ("Sec-WebSocket-Protocol: other", None),
    ] {
        let mut client = Client::connect(shared());
        client.send(plus("/", offered).as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{offered}: {head}");
        let named = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        assert_eq!(named, echoed, "{offered}: {head}");
    }
}

#[test]
fn harmless_variations_are_admitted() {
    for request in [
        handshake("/").replace("websocket", "WebSocket").replace("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        handshake("/").replace("websocket", "websocket, h2c"),
        handshake("/").replace("websocket", "h2c,websocket"),
        plus("/", "Upgrade: h2c"),
        handshake("/").replace("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
        plus("/", "Content-Length: 0"),
        plus("/same-origin", "Origin: http://localhost"),
        plus("/same-origin", "Sec-WebSocket-Extensions: permessage-deflate"),
    ] {
        let mut client = Client::connect(shared());
        client.send(request.as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("Extensions"), "{request}: {head}");
    }
}

#[test]
fn frames_may_come_with_the_request() {
    let mut client = Client::connect(shared());
    let mut bytes = handshake("/").into_bytes();
    bytes.extend(masked(0x81, b"first"));
    bytes.extend(masked(0x89, b"?"));
    let cut = masked(0x82, b"cut in two");
    bytes.extend(&cut[..9]);
    client.send(&bytes);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.frame(), Some(Frame { opcode: 1, payload: b"first".into() }));
    assert_eq!(client.frame(), Some(Frame { opcode: 10, payload: b"?".into() }));
    client.send(&cut[9..]);
    assert_eq!(client.frame(), Some(Frame { opcode: 2, payload: b"cut in two".into() }));
}

#[test]
fn more_than_a_turn_may_come_with_the_request() {
    let mut client = Client::connect(shared());
    let mut bytes = handshake("/").into_bytes();
    for number in 0..2000u32 {
        bytes.extend(masked(0x82, &number.to_be_bytes()));
    }
    client.send(&bytes);
    client.head();
    for number in 0..2000u32 {
        assert_eq!(client.frame(), Some(Frame { opcode: 2, payload: number.to_be_bytes().into() }));
    }
}

#[test]
fn answers_to_requests_pipelined_before_an_upgrade_come_first() {
    for path in ["/", "/full"] {
        let mut client = Client::connect(shared());
        client.send(format!("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n{}", handshake(path)).as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 200 "));
        let next = client.head();
        assert!(next.starts_with("helloHTTP/1.1 101 ") || next.starts_with("helloHTTP/1.1 503 "), "{next}");
    }
}

#[test]
fn other_requests_reach_the_application() {
    let mut client = Client::connect(shared());
    client.send(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 200 "));
}

/// The public listener of a complete gateway.
fn frontends() -> SocketAddr {
    static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
        let text = "workers = 1\n[public]\naddress = \"127.0.0.1:0\"\n[internal]\naddress = \"127.0.0.1:0\"";
        let settings = Settings::from_toml(text).expect("valid");
        let listeners = Listeners::bind(&settings).expect("free ports");
        let address = listeners.public.as_ref().expect("a full node").local_addr().expect("bound");
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            let telemetry = Telemetry::without_logs(&settings).expect("no endpoint");
            runtime.block_on(async {
                let _running = server::start(&settings, listeners, telemetry.metrics()).expect("it starts");
                std::future::pending::<()>().await;
            });
        });
        address
    });
    *SERVER
}

#[test]
fn a_request_that_is_no_upgrade_gets_an_answer_that_says_what_to_send() {
    let path = "/connection/websocket";
    let with = |line: &str| handshake(path).replace("Upgrade: websocket\r\n", line);
    for (name, request) in [
        ("no upgrade", with("")),
        ("another protocol", with("Upgrade: h2c\r\n")),
        ("a version of the protocol", with("Upgrade: websocket/13\r\n")),
        ("a version of HTTP that has no upgrades", handshake(path).replace("HTTP/1.1", "HTTP/1.0")),
    ] {
        let mut client = Client::connect(frontends());
        client.send(request.as_bytes());
        client.finish();
        let head = client.head().to_lowercase();
        assert!(head.contains(" 426 ") && head.contains("sec-websocket-version: 13\r\n"), "{name}: {head}");
        let problem: Problem = serde_json::from_slice(&client.rest()).expect("a problem document");
        assert_eq!(problem.code, "upgrade_required", "{name}");
    }
    let mut client = Client::connect(frontends());
    client.send(with("").replace("GET", "POST").as_bytes());
    client.finish();
    assert!(client.head().to_lowercase().contains("allow: get"), "POST is refused whatever it upgrades to");
    for offered in ["websocket", "websocket, h2c", "h2c, websocket"] {
        let mut client = Client::connect(frontends());
        client.send(handshake(path).replace("Upgrade: websocket", &format!("Upgrade: {offered}")).as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 101 "), "{offered}");
    }
}

#[test]
fn an_offer_at_a_path_without_websocket_is_ignored_and_the_connection_stays_open() {
    let mut client = Client::connect(frontends());
    for (path, status) in [("/livez", 200), ("/nowhere", 404), ("/readyz", 200), ("/connection/websocket/", 404)] {
        client.send(handshake(path).as_bytes());
        let (head, _) = client.answer();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && !head.to_lowercase().contains("connection: "), "{path}: {head}");
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let mut client = Client::connect(shared());
    for byte in handshake("/").bytes().chain(masked(0x81, b"slow")) {
        client.send(&[byte]);
    }
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.frame(), Some(Frame { opcode: 1, payload: b"slow".into() }));
}

#[test]
fn a_message_that_is_never_complete_ends_with_its_deadline() {
    let echo = Echo { message_timeout: Duration::from_millis(100), ..Echo::default() };
    let mut client = Client::upgraded(super::client::serve(echo));
    client.send(&masked(0x81, b"never whole")[..8]);
    assert!(client.reset(), "an incomplete message is cut");
}
