//! To which hosts the public listener of a whole gateway answers: `public.hosts`.

use super::{
    client::{Client, KEY},
    public::{ask, start_with},
};
use serde_json::Value;
use std::net::SocketAddr;

const SETTINGS: &str = r#"
[tokens]
anonymous = true
hmac_secret = "s"
[demo]
enabled = true
[namespaces.news]
subscribe = "anyone"
[[api_keys]]
name = "test"
key = "k"
[public]
"#;
const LISTED: &str = "hosts = [\"chat.example\", \"[2001:db8::1]\", \"*.cells.example\"]\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
/// A host that the listener has, in each form.
const OWN: &str = "Host: chat.example\r\n";

/// Every kind of request: its first line with `{}` in place of the target, its header lines and body, and its status at a listed host.
fn kinds() -> Vec<(&'static str, &'static str, String, &'static str, u16)> {
    let upgrade = format!("{UPGRADE}Sec-WebSocket-Key: {KEY}\r\n");
    let json = |body: &str| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let preflight = "Origin: http://chat.example\r\nAccess-Control-Request-Method: POST\r\n".to_owned();
    vec![
        ("GET", "/connection/websocket", upgrade.clone(), "", 101),
        ("GET", "/stomp/websocket", upgrade.clone(), "", 101),
        ("GET", "/nowhere", upgrade, "", 404),
        ("GET", "/connection/websocket", String::new(), "", 426),
        ("POST", "/connection/http_stream", json(r#"{"id":1,"connect":{}}"#), r#"{"id":1,"connect":{}}"#, 200),
        ("GET", "/connection/sse?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D", String::new(), "", 200),
        ("GET", "/events?channel=news:a", String::new(), "", 200),
        ("POST", "/emulation", json("{}"), "{}", 404),
        ("OPTIONS", "/emulation", preflight, "", 204),
        ("GET", "/stomp/info", String::new(), "", 200),
        ("GET", "/", String::new(), "", 200),
        ("POST", "/demo/token", json(r#"{"user":"a"}"#), r#"{"user":"a"}"#, 200),
        ("GET", "/demo/nodes", String::new(), "", 200),
        ("GET", "/livez", String::new(), "", 200),
        ("GET", "/readyz", String::new(), "", 200),
        ("GET", "/no/file", String::new(), "", 404),
        ("DELETE", "/livez", String::new(), "", 405),
    ]
}

/// Sends a request and returns the client behind the head of its answer, and this head.
fn send(address: SocketAddr, request: &str) -> (Client, String) {
    let mut client = Client::connect(address);
    client.send(request.as_bytes());
    let head = client.head();
    (client, head)
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

fn refused(internal: SocketAddr) -> u64 {
    let (_, metrics) = ask(internal, "GET", "/metrics", "", "");
    let line = metrics.lines().find_map(|line| line.strip_prefix("switchboard_upgrades_refused_total{reason=\"host_not_allowed\"} "));
    line.expect("the series exists").parse().expect("a number")
}

#[test]
fn requests_of_every_kind_to_another_host_are_misdirected() {
    let (address, internal) = start_with(format!("{SETTINGS}{LISTED}"));
    for (method, target, lines, body, expected) in kinds() {
        let (_, head) = send(address, &format!("{method} {target} HTTP/1.1\r\n{OWN}{lines}\r\n{body}"));
        assert_eq!(status(&head), expected, "{method} {target}: {head}");
        let before = refused(internal);
        let (mut client, head) = send(address, &format!("{method} {target} HTTP/1.1\r\nHost: evil.example\r\n{lines}\r\n{body}"));
        assert_eq!(status(&head), 421, "{method} {target}: {head}");
        let lower = head.to_ascii_lowercase();
        assert!(lower.contains("content-type: application/problem+json\r\n") && lower.contains("connection: close\r\n"), "{head}");
        assert!(!lower.contains("access-control-allow-origin"), "{head}");
        if method != "HEAD" {
            let problem: Value = serde_json::from_slice(&client.rest()).expect("JSON");
            assert_eq!((problem["code"].as_str(), problem["title"].as_str()), (Some("host_not_allowed"), Some("Misdirected Request")));
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("public.hosts")), "{problem}");
        }
        assert_eq!(refused(internal), before + 1, "{method} {target}");
    }
}

#[test]
fn every_host_that_a_request_names_must_be_listed() {
    let (address, _) = start_with(format!("{SETTINGS}{LISTED}"));
    for (target, lines, is_answered) in [
        ("/livez", "Host: CHAT.example:8443\r\n", true),
        ("/livez", "Host: [2001:db8:0::1]:8000\r\n", true),
        ("/livez", "Host: eu.cells.example\r\n", true),
        ("http://chat.example/livez", OWN, true),
        ("http://chat.example:80/livez", OWN, true),
        ("/livez", "", false),
        ("/livez", "Host: \r\n", false),
        ("/livez", "Host: chat.example.\r\n", false),
        ("/livez", "Host: a.b.cells.example\r\n", false),
        ("/livez", "Host: cells.example\r\n", false),
        ("/livez", "Host: user@chat.example\r\n", false),
        ("/livez", "Host: chat.example@evil.example\r\n", false),
        ("/livez", "Host: 127.0.0.1\r\n", false),
        ("/livez", "Host: ch\u{430}t.example\r\n", false),
        ("/livez", "Host: chat.example\r\nHost: evil.example\r\n", false),
        ("/livez", "Host: evil.example\r\nHost: chat.example\r\n", false),
        ("/livez", "Host: chat.example\r\nHost: chat.example\r\n", false),
        ("/livez", "Host: evil.example\r\nX-Forwarded-Host: chat.example\r\n", false),
        ("/livez", "Host: evil.example\r\nForwarded: for=192.0.2.1;host=chat.example\r\n", false),
        ("http://evil.example/livez", OWN, false),
        ("http://chat.example/livez", "Host: evil.example\r\n", false),
        ("http://chat.example@evil.example/livez", OWN, false),
        ("http://user@chat.example/livez", OWN, false),
    ] {
        for (kind, lines) in [("HTTP", lines.to_owned()), ("upgrade", format!("{lines}{UPGRADE}Sec-WebSocket-Key: {KEY}\r\n"))] {
            let target = if kind == "HTTP" { target.to_owned() } else { target.replace("/livez", "/connection/websocket") };
            let (_, head) = send(address, &format!("GET {target} HTTP/1.1\r\n{lines}\r\n"));
            let expected: &[u16] = match (is_answered, kind) {
                (true, "HTTP") => &[200],
                (true, _) => &[101],
                // The HTTP library itself refuses some of them.
                (false, _) => &[421, 400],
            };
            assert!(expected.contains(&status(&head)), "{kind} {target} {lines}: {head}");
        }
    }
}

#[test]
fn behind_a_trusted_proxy_the_host_that_it_tells_counts() {
    let (address, _) = start_with(format!("{SETTINGS}{LISTED}trusted_proxies = [\"127.0.0.0/8\"]\n"));
    for (lines, expected) in [
        ("Host: upstream\r\nX-Forwarded-Host: chat.example\r\n", 200),
        ("Host: upstream\r\nForwarded: for=192.0.2.1;host=\"chat.example:443\"\r\n", 200),
        ("Host: chat.example\r\n", 200),
        ("Host: chat.example\r\nX-Forwarded-Host: evil.example\r\n", 421),
        ("Host: upstream\r\nX-Forwarded-For: 192.0.2.1\r\n", 421),
    ] {
        let (_, head) = send(address, &format!("GET /livez HTTP/1.1\r\n{lines}\r\n"));
        assert_eq!(status(&head), expected, "{lines}: {head}");
    }
}

#[test]
fn without_a_list_every_host_is_answered_to() {
    let (address, _) = start_with(SETTINGS.into());
    for host in ["evil.example", "chat.example.", "[::1]:1", "user@a"] {
        let (_, head) = send(address, &format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(status(&head), 200, "{host}: {head}");
    }
}
