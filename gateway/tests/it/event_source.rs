//! EventSource on the public listener of a whole gateway, with raw HTTP.

use super::{
    client::Client,
    public::{ask, start_with},
};
use gateway_core::protocol::event_stream::testing::{Read, read};
use serde_json::{Value, json};
use std::net::SocketAddr;

const SETTINGS: &str = r#"
[tokens]
anonymous = true
hmac_secret = "s"
[demo]
enabled = true
[stomp]
token_cookie = "jwt"
[[api_keys]]
name = "test"
key = "k"
[namespaces.news]
subscribe = "anyone"
history_size = 100
history_ttl = "1h"
[namespaces.open]
subscribe = "anyone"
[namespaces.closed]
[public]
allowed_origins = ["https://app.example"]
"#;
const KEY: &str = "Authorization: Bearer k\r\nContent-Type: application/json\r\n";

/// A gateway: its public and its internal listener.
struct Gateway {
    public: SocketAddr,
    internal: SocketAddr,
}

impl Gateway {
    fn start() -> Self {
        Self::with("")
    }

    /// A gateway with more settings of its public listener.
    fn with(more: &str) -> Self {
        let (public, internal) = start_with(format!("{SETTINGS}{more}\n"));
        Self { public, internal }
    }

    fn publish(&self, channel: &str, data: &Value) {
        let path = format!("/v1/channels/{channel}/publications");
        let (head, body) = ask(self.internal, "POST", &path, KEY, &json!({ "data": data }).to_string());
        assert!(head.starts_with("http/1.1 200 "), "{head}{body}");
    }

    fn token(&self, user: &str) -> String {
        let body = json!({ "user": user }).to_string();
        let (_, body) = ask(self.public, "POST", "/demo/token", "Content-Type: application/json\r\n", &body);
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Requests a stream. Returns the client and the head of the answer.
    fn request(&self, method: &str, query: &str, lines: &str) -> (Client, String) {
        let mut client = Client::connect(self.public);
        client.send(format!("{method} /events?{query} HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes());
        let head = client.head();
        (client, head.to_ascii_lowercase())
    }

    fn open(&self, query: &str, lines: &str) -> Stream {
        let (client, head) = self.request("GET", query, lines);
        assert!(head.starts_with("http/1.1 200 "), "{query}: {head}");
        Stream { client, bytes: Vec::new() }
    }

    fn status(&self, query: &str, lines: &str) -> String {
        let (_, head) = self.request("GET", query, lines);
        head.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

/// A browser that reads a stream.
struct Stream {
    client: Client,
    bytes: Vec<u8>,
}

impl Stream {
    /// Reads until a text has arrived.
    fn until(&mut self, part: &str) -> Read {
        self.bytes.extend(self.client.until(part.as_bytes()));
        read(&self.bytes)
    }

    fn opened(mut self) -> Self {
        self.until("\n\n");
        self
    }

    /// Reads to the end.
    fn rest(mut self) -> Read {
        self.bytes.extend(self.client.rest());
        read(&self.bytes)
    }
}

#[test]
fn a_browser_gets_events_and_goes_on_where_it_stopped() {
    let gateway = Gateway::start();
    gateway.publish("news:a", &json!(0));
    let (client, head) = gateway.request("GET", "channel=news:a", "");
    for line in ["http/1.1 200 ", "content-type: text/event-stream\r\n", "cache-control: no-store\r\n", "x-accel-buffering: no\r\n"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(head.contains("connection: close\r\n") && !head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
    let mut stream = Stream { client, bytes: Vec::new() };
    let opening = stream.until("\n\n");
    let first_id = opening.last_id.clone();
    assert!(stream.bytes.len() > 2048 && first_id.ends_with("-1") && opening.events.is_empty(), "{first_id}");
    assert!(opening.retry.is_some_and(|retry| (3000..=4500).contains(&retry)), "{:?}", opening.retry);
    gateway.publish("news:a", &json!({"text": "x\ny"}));
    let read = stream.until("x\\ny\"}\n\n");
    assert_eq!(read.events[0].data, r#"{"text":"x\ny"}"#);
    assert!(read.last_id.ends_with("-2"));
    drop(stream);
    gateway.publish("news:a", &json!(3));
    let mut stream = gateway.open("channel=news:a", &format!("Last-Event-ID: {}\r\n", read.last_id));
    let again = stream.until("data: 3\n\n");
    assert_eq!(again.events.len(), 1);
    let all = gateway.open(&format!("channel=news:a&lastEventId={first_id}"), "").until("data: 3\n\n");
    assert_eq!(all.events.len(), 2);
    assert_eq!(gateway.open("channel=news:a&since=:0", "").until("data: 3\n\n").events.len(), 3);
}

#[test]
fn several_channels_share_a_stream() {
    let gateway = Gateway::start();
    let query = "channel=news:a&channel=open:b&channel=news:c";
    let mut stream = gateway.open(query, "").opened();
    for (channel, data) in [("news:a", 1), ("open:b", 2), ("news:c", 3)] {
        gateway.publish(channel, &json!(data));
    }
    let read = stream.until("\"channel\":\"news:c\"");
    drop(stream);
    let id = read.last_id;
    assert!(id.len() < 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)), "{id}");
    gateway.publish("news:c", &json!(4));
    let mut stream = gateway.open(query, &format!("Last-Event-ID: {id}\r\n"));
    let again = stream.until("\"data\":4");
    assert!(again.events.iter().all(|event| event.kind == "message"), "nothing is missing: {:?}", again.events);
    // The order of the channels is another one.
    let read = gateway.open("channel=news:c&channel=open:b&channel=news:a", &format!("Last-Event-ID: {id}\r\n")).until("\"news:a\"}\n\n");
    assert_eq!(read.events.iter().map(|event| &*event.kind).collect::<Vec<_>>(), ["reset"; 3]);
}

#[test]
fn what_the_history_has_lost_is_a_reset() {
    let gateway = Gateway::start();
    gateway.publish("news:a", &json!(0));
    let mut stream = gateway.open("channel=news:a", "Last-Event-ID: abcd1234-5\r\n");
    let read = stream.until("event: reset\ndata: {\"channel\":\"news:a\"}\n\n");
    assert_eq!((read.events.len(), &*read.events[0].kind), (1, "reset"));
    assert!(read.last_id.ends_with("-1") && !read.last_id.starts_with("abcd1234"));
}

#[test]
fn requests_that_would_fail_again_get_a_problem_or_204() {
    let gateway = Gateway::start();
    let long = "a".repeat(200);
    let returning = "Last-Event-ID: abcd1234-5\r\n";
    for (query, lines, status) in [
        ("", "", "400"),
        ("channel=news:a&channel=news:a", "", "400"),
        ("channel=news:a&since=x", "", "400"),
        ("channel=news:a", &*format!("Last-Event-ID: {long}\r\n"), "400"),
        ("channel=news:a", "Last-Event-ID: 1526919030474-55\r\n", "400"),
        ("channel=unknown:a", "", "404"),
        ("channel=unknown:a", returning, "404"),
        ("channel=closed:a", "", "403"),
        ("channel=closed:a", returning, "204"),
        ("channel=news:a&token=bad", "", "401"),
        ("channel=news:a&token=bad", returning, "204"),
        ("channel=news:a", "Authorization: Bearer bad\r\n", "401"),
        ("channel=news:a", "Last-Event-ID: abcd1234-5~end\r\n", "204"),
        ("channel=news:a", "Origin: https://evil.example\r\n", "403"),
        ("channel=news:a", "Sec-Fetch-Site: cross-site\r\n", "403"),
    ] {
        assert_eq!(gateway.status(query, lines), status, "{query} {lines}");
    }
    let (mut client, head) = gateway.request("GET", "channel=closed:a", "Connection: close\r\n");
    assert!(head.contains("content-type: application/problem+json\r\n"), "{head}");
    let problem: Value = serde_json::from_slice(&client.rest()).expect("JSON");
    assert_eq!(problem["code"], "permission_denied");
    let (_, head) = gateway.request("POST", "channel=news:a", "Content-Length: 0\r\n");
    assert!(head.starts_with("http/1.1 405 "), "{head}");
    // All of them have left.
    let (_, metrics) = ask(gateway.internal, "GET", "/metrics", KEY, "");
    assert!(metrics.contains("switchboard_connections_open 0\n"), "{metrics}");
}

#[test]
fn pages_of_allowed_origins_may_read_streams() {
    let gateway = Gateway::start();
    let (_, head) = gateway.request("GET", "channel=news:a", "Origin: https://app.example\r\n");
    for line in ["http/1.1 200 ", "access-control-allow-origin: https://app.example\r\n", "access-control-allow-credentials: true\r\n"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    let lines = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: last-event-id\r\n";
    let (_, head) = gateway.request("OPTIONS", "channel=news:a", lines);
    for line in [
        "http/1.1 204 ",
        "access-control-allow-origin: https://app.example\r\n",
        "access-control-allow-methods: get\r\n",
        "access-control-allow-headers: authorization, cache-control, last-event-id\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    let (_, head) = gateway.request("HEAD", "channel=news:a", "");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-type: text/event-stream\r\n"), "{head}");
}

#[test]
fn a_token_comes_in_the_query_a_header_or_a_cookie_of_the_same_site() {
    let gateway = Gateway::start();
    let token = gateway.token("alice");
    for (query, lines, status) in [
        ("", "", "403"),
        (&*format!("&token={token}"), "", "200"),
        ("", &*format!("Authorization: Bearer {token}\r\n"), "200"),
        ("", &*format!("Cookie: jwt={token}\r\n"), "403"),
        ("", &*format!("Cookie: a=b; jwt={token}\r\nSec-Fetch-Site: same-origin\r\n"), "200"),
        ("", &*format!("Cookie: jwt={token}\r\nSec-Fetch-Site: none\r\n"), "403"),
        ("", &*format!("Cookie: jwt={token}\r\nOrigin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n"), "200"),
    ] {
        assert_eq!(gateway.status(&format!("channel=%23alice{query}"), lines), status, "{query} {lines}");
    }
}

#[test]
fn a_user_who_must_not_come_back_gets_an_end() {
    let gateway = Gateway::start();
    let query = format!("channel=news:a&token={}", gateway.token("alice"));
    let stream = gateway.open(&query, "").opened();
    let (head, body) = ask(gateway.internal, "DELETE", "/v1/users/alice/connections?code=3503&reason=no%20more", KEY, "");
    assert!(head.starts_with("http/1.1 200 "), "{head}{body}");
    let read = stream.rest();
    assert_eq!(read.events.last().map(|end| (&*end.kind, &*end.data)), Some(("end", r#"{"code":3503,"reason":"no more"}"#)));
    assert_eq!(gateway.status(&query, &format!("Last-Event-ID: {}\r\n", read.last_id)), "204");
}

#[test]
fn above_the_limit_a_browser_is_asked_to_come_back() {
    let gateway = Gateway::with("max_connections = 1");
    let first = gateway.open("channel=news:a", "").opened();
    let (mut client, head) = gateway.request("GET", "channel=news:a", "");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    assert_comes_back(&mut client);
    drop(first);
    while gateway.open("channel=news:a", "").until("\n\n").comments == 0 {}
}

#[test]
fn a_node_without_its_store_makes_clients_come_back() {
    let gateway =
        Gateway::with("[broker]\nkind = \"redis\"\n[redis]\nurl = \"redis://127.0.0.1:1\"\n[recovery]\nattach_timeout = \"500ms\"");
    let (mut client, head) = gateway.request("GET", "channel=news:a", "");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-type: text/event-stream\r\n"), "{head}");
    assert_comes_back(&mut client);
}

/// Asserts that the stream ends at once, and has nothing but the time after which the client connects again.
fn assert_comes_back(client: &mut Client) {
    let body = String::from_utf8(client.rest()).expect("text");
    let retry = body.strip_prefix("retry: ").and_then(|rest| rest.strip_suffix("\n\n")).and_then(|retry| retry.parse::<u64>().ok());
    assert!(retry.is_some_and(|retry| (3000..=4500).contains(&retry)), "{body:?}");
}
