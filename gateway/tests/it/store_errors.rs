//! Answers while Redis refuses writes: the words of the error table, and nothing of the text of Redis.

use super::{
    client::{Client, handshake, masked},
    public::{ask, start_with},
};
use redis_testing::{Options, Server};
use serde_json::{Value, json};
use shared_proto::errors::ErrorCode;
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the test has this thread to itself")]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what} takes too long");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a separate Redis.
pub(super) async fn start_redis() -> Server {
    Server::start_with(Options::default().with_port()).await
}

fn start(redis: &Server) -> (SocketAddr, SocketAddr) {
    let (public, internal) = start_node(redis, "");
    until("the gateway's start", || ask(internal, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 "));
    (public, internal)
}

/// Starts a gateway with these additional settings. Does not wait until it is ready.
pub(super) fn start_node(redis: &Server, more: &str) -> (SocketAddr, SocketAddr) {
    start_with(format!(
        "{more}\n[broker]\nkind = \"redis\"\n[redis]\nurl = \"redis://{}\"\n[tokens]\nhmac_secret = \"s\"\nanonymous = true\n[demo]\nenabled = true\n\
         [[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[services.bot]\n\
         [namespaces.news]\nhistory_size = 10\nhistory_ttl = \"1h\"\nsubscribe = \"anyone\"\npublish = \"anyone\"\nsee_history = \"anyone\"",
        redis.address()
    ))
}

pub(super) fn upgraded(address: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(address);
    client.send(handshake(path).replacen("\r\n\r\n", "\r\nAuthorization: Bearer dev\r\n\r\n", 1).as_bytes());
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client
}

/// Sends one line and returns the next line that arrives.
pub(super) fn says(client: &mut Client, line: &Value) -> String {
    client.send(&masked(0x81, line.to_string().as_bytes()));
    loop {
        let text = String::from_utf8(client.frame().expect("it stays open").payload).expect("text");
        // A ping may come at any time.
        if text != "{}" {
            return text;
        }
    }
}

/// Asserts that an answer contains the text of the error table, and nothing from the store.
fn assert_answer(what: &str, answer: &str, code: ErrorCode) {
    assert!(answer.contains(code.row().doc), "{what}: {answer}");
    for foreign in ["oom", "memory", "script", "redis", "127.0.0.1", "unavailable:"] {
        assert!(!answer.to_ascii_lowercase().contains(foreign), "{what}: {foreign} in {answer}");
    }
}

#[tokio::test]
async fn error_texts_of_redis_do_not_leave_the_gateway() {
    let redis = start_redis().await;
    let (public, internal) = start(&redis);
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;

    let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";
    for (method, path, body) in [
        ("POST", "/v1/channels/news:a/publications", r#"{"data":1}"#),
        ("POST", "/v1/publications", r#"{"publications":[{"channel":"news:a","data":1}]}"#),
        ("GET", "/v1/channels/news:a/publications", ""),
        ("GET", "/v1/channels/news:a", ""),
        ("PUT", "/v1/users/alice/subscriptions/news:a", "{}"),
        ("DELETE", "/v1/users/alice/connections", ""),
    ] {
        let (_, answer) = ask(internal, method, path, lines, body);
        assert_answer(&format!("{method} {path}"), &answer, ErrorCode::ServiceUnavailable);
    }

    let (_, token) = ask(public, "POST", "/demo/token", "Content-Type: application/json\r\n", r#"{"user":"alice"}"#);
    let token = serde_json::from_str::<Value>(&token).expect("JSON")["token"].clone();
    let mut alice = upgraded(public, "/connection/websocket");
    assert_answer("connect", &says(&mut alice, &json!({"id": 1, "connect": {"token": token}})), ErrorCode::Internal);
    let mut stranger = upgraded(public, "/connection/websocket");
    says(&mut stranger, &json!({"id": 1, "connect": {}}));
    for (command, code) in [
        (json!({"id": 2, "subscribe": {"channel": "news:a"}}), ErrorCode::Internal),
        (json!({"id": 3, "publish": {"channel": "news:a", "data": 1}}), ErrorCode::ServiceUnavailable),
        (json!({"id": 4, "history": {"channel": "news:a", "limit": 1}}), ErrorCode::ServiceUnavailable),
    ] {
        assert_answer(&command.to_string(), &says(&mut stranger, &command), code);
    }

    let mut bot = upgraded(internal, "/v1/services/bot/link");
    says(&mut bot, &json!({"hello": {"service": "bot", "instance": "i", "credit": 1}}));
    let nack = says(&mut bot, &json!({"publish": {"id": 1, "channel": "news:a", "data": 1, "idempotency_key": "k"}}));
    assert!(nack.starts_with(r#"{"nack":"#), "{nack}");
    assert_answer("a link's publish", &nack, ErrorCode::ServiceUnavailable);
}

#[tokio::test]
async fn the_public_listener_does_not_say_why_it_is_not_ready() {
    let redis = start_redis().await;
    let (public, internal) = start(&redis);
    let port = redis.address().port().to_string();
    drop(redis);
    let mut reasons = String::new();
    until("taking note of the loss", || {
        let (head, body) = ask(internal, "GET", "/readyz", "", "");
        reasons = body;
        head.starts_with("http/1.1 503 ")
    });
    assert!(reasons.contains(&port), "services and operators learn which server: {reasons}");
    let (head, body) = ask(public, "GET", "/readyz", "", "");
    assert_eq!((head.starts_with("http/1.1 503 "), &*body), (true, r#"{"ready":false}"#));
}
