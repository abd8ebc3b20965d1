//! A gateway behind proxies: who the client is.

use super::{
    client::{Client, KEY, masked},
    listeners::Gateway,
    public::ask,
    store_errors::{says, upgraded},
};
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/connection/websocket";
const TRUSTED: &str = "public.trusted_proxies=127.0.0.0/8,10.0.0.0/8";
const AUTHORIZED: &str = "Authorization: Bearer dev\r\n";

/// An upgrade request with these header lines.
fn request(lines: &str) -> String {
    format!(
        "GET {PATH} HTTP/1.1\r\nHost: inside:8000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    )
}

/// Upgrades with these bytes. Returns the connection and what the REST interface shows as its address.
fn open(gateway: &Gateway, bytes: &[u8]) -> (Client, String) {
    let mut client = Client::connect(gateway.public);
    client.send(bytes);
    let head = client.head().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    let id = head.lines().find_map(|line| line.strip_prefix("x-connection-id: ")).expect("an id");
    let (_, body) = ask(gateway.internal, "GET", &format!("/v1/connections/{id}"), AUTHORIZED, "");
    let shown: Value = serde_json::from_str(&body).expect("JSON");
    (client, shown["address"].as_str().unwrap_or_else(|| panic!("no address in {body}")).to_owned())
}

fn status(gateway: &Gateway, lines: &str) -> u16 {
    let mut client = Client::connect(gateway.public);
    client.send(request(lines).as_bytes());
    client.head().split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
}

/// The value of a counter.
fn counted(gateway: &Gateway, series: &str) -> u64 {
    let (_, metrics) = ask(gateway.internal, "GET", "/metrics", "", "");
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series} in {metrics}"));
    line.trim().parse().expect("a number")
}

#[test]
fn the_address_that_a_trusted_proxy_tells_is_shown_and_handed_to_services() {
    let gateway = Gateway::start(&[TRUSTED, "services.chatbot.forward_address=true"]);
    for (lines, address) in [
        ("X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.1.1\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 2001:db8::9\r\n", "2001:db8::9"),
        ("Forwarded: for=6.6.6.6, for=\"[2001:db8::9]:4711\";proto=https\r\n", "2001:db8::9"),
        ("X-Forwarded-For: 203.0.113.9, nobody\r\n", "127.0.0.1"),
    ] {
        assert_eq!(open(&gateway, request(lines).as_bytes()).1, address, "{lines}");
    }
    assert_eq!(counted(&gateway, r#"switchboard_proxy_headers_total{result="used"}"#), 3);
    assert_eq!(counted(&gateway, r#"switchboard_proxy_headers_total{result="malformed"}"#), 1);

    let mut bot = upgraded(gateway.internal, "/v1/services/chatbot/link");
    says(&mut bot, &json!({"hello": {"service": "chatbot", "instance": "i", "credit": 1}}));
    let (mut client, _) = open(&gateway, request("X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n").as_bytes());
    says(&mut client, &json!({"id": 1, "connect": {}}));
    client.send(&masked(0x81, json!({"id": 2, "rpc": {"method": "chatbot.say", "data": {}}}).to_string().as_bytes()));
    let call = loop {
        let frame = String::from_utf8(bot.frame().expect("it stays open").payload).expect("text");
        if frame.starts_with(r#"{"call""#) {
            break frame;
        }
    };
    assert!(call.contains(r#""address":"203.0.113.9""#), "{call}");
}

#[test]
fn a_client_that_is_no_proxy_cannot_choose_its_address() {
    let gateway = Gateway::start(&["public.trusted_proxies=10.0.0.0/8"]);
    for lines in ["X-Forwarded-For: 203.0.113.9\r\n", "Forwarded: for=203.0.113.9\r\n"] {
        assert_eq!(open(&gateway, request(lines).as_bytes()).1, "127.0.0.1", "{lines}");
    }
    assert_eq!(counted(&gateway, r#"switchboard_proxy_headers_total{result="untrusted_peer"}"#), 2);
    let forged = "Origin: https://app.example\r\nX-Forwarded-Host: app.example\r\n";
    assert_eq!(status(&gateway, forged), 403, "only a trusted proxy tells the host");
}

#[test]
fn a_page_may_connect_to_the_host_that_a_trusted_proxy_tells() {
    let gateway = Gateway::start(&[TRUSTED]);
    let origin = "Origin: https://app.example\r\n";
    for (lines, expected) in [
        ("", 403),
        ("X-Forwarded-Host: app.example\r\n", 101),
        ("X-Forwarded-Host: other.example\r\n", 403),
        ("X-Forwarded-Host: app.example, app.example\r\n", 403),
        ("Forwarded: for=203.0.113.9;host=app.example;proto=https\r\n", 101),
        ("Forwarded: for=203.0.113.9;host=app.example;proto=http\r\n", 403),
        ("Forwarded: for=6.6.6.6;host=app.example, for=203.0.113.9;host=other.example\r\n", 403),
    ] {
        assert_eq!(status(&gateway, &format!("{origin}{lines}")), expected, "{lines}");
    }
    let lines = format!("{origin}X-Forwarded-Host: app.example\r\nContent-Type: application/json\r\n");
    let (head, _) = ask(gateway.public, "POST", "/demo/token", &lines, r#"{"user":"alice"}"#);
    assert!(head.contains("access-control-allow-origin: https://app.example\r\n"), "{head}");
}

#[test]
fn refused_upgrades_are_logged_with_the_address_of_the_client() {
    let gateway = Gateway::start(&[TRUSTED, "telemetry.log_filter=debug"]);
    assert_eq!(status(&gateway, "X-Forwarded-For: 203.0.113.9\r\nOrigin: https://evil.example\r\n"), 403);
    gateway.wait_for_log(|log| log.lines().any(|line| line.contains("upgrade refused") && line.contains("203.0.113.9")));
}

/// A header of version 2 with this command and, for TCP over IPv4, these addresses and ports.
fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family, 0, body.len() as u8][..], body].concat()
}

#[test]
fn the_proxy_protocol_tells_the_address() {
    let gateway = Gateway::start(&["public.proxy_protocol=true", "public.trusted_proxies=127.0.0.1"]);
    let request = request("");
    let tcp4 = version_2(0x21, 0x11, &[203, 0, 113, 9, 10, 0, 0, 1, 0xC8, 0x01, 0x01, 0xBB]);
    for (header, address) in [
        (&b"PROXY TCP4 203.0.113.9 10.0.0.1 51201 443\r\n"[..], "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 ::1 51201 443\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (&tcp4, "203.0.113.9"),
        (&version_2(0x20, 0, &[]), "127.0.0.1"),
    ] {
        assert_eq!(open(&gateway, &[header, request.as_bytes()].concat()).1, address);
    }
    let forged = "X-Forwarded-For: 6.6.6.6\r\n";
    let header = "PROXY TCP4 203.0.113.9 10.0.0.1 51201 443\r\n";
    assert_eq!(open(&gateway, format!("{header}{}", self::request(forged)).as_bytes()).1, "203.0.113.9", "the client is no proxy");
    let behind_another = "PROXY TCP4 127.0.0.1 10.0.0.1 51201 443\r\n";
    assert_eq!(open(&gateway, format!("{behind_another}{}", self::request(forged)).as_bytes()).1, "6.6.6.6");
    let (head, _) = ask(gateway.internal, "GET", "/readyz", "", "");
    assert!(head.starts_with("http/1.1 200 "), "the internal listener is not concerned: {head}");
}

#[test]
fn connections_without_a_proxy_header_are_closed_and_counted() {
    let gateway = Gateway::start(&["public.proxy_protocol=true"]);
    let closed = |bytes: &[u8]| {
        let mut client = Client::connect(gateway.public);
        client.send(bytes);
        client.reset()
    };
    for bytes in [request("").as_bytes(), b"PROXY TCP4 203.0.113.9\r\n"] {
        closed(bytes);
    }
    let began = std::time::Instant::now();
    closed(b"PROXY TCP4 ");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let of = |cause: &str| counted(&gateway, &format!(r#"switchboard_http_connection_errors_total{{cause="{cause}",listener="public"}}"#));
    assert_eq!((of("proxy_header"), of("proxy_timeout"), of("proxy_untrusted")), (2, 1, 0));

    let strict = Gateway::start(&["public.proxy_protocol=true", "public.trusted_proxies=10.0.0.0/8"]);
    let mut client = Client::connect(strict.public);
    client.send(b"PROXY TCP4 203.0.113.9 10.0.0.1 51201 443\r\n");
    client.reset();
    assert_eq!(counted(&strict, r#"switchboard_http_connection_errors_total{cause="proxy_untrusted",listener="public"}"#), 1);
}
