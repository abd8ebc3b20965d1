//! Tests of the link endpoint over a real socket. Tests of the frames are in `services/link`.

use super::*;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use shared_proto::{
    http::{HttpOptions, serve},
    rest::Problem,
};
use std::net::SocketAddr;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

const HELLO: &str = r#"{"hello":{"service":"bot","instance":"i1","credit":8}}"#;
/// Maximum size of a frame in bytes.
const SIZE: usize = 1024;

/// The internal listener of a node.
struct Listening {
    node: Arc<Node>,
    address: SocketAddr,
}

impl Listening {
    fn new() -> Self {
        Self::with_limits(LinkLimits { message_size: SIZE, ..LinkLimits::default() })
    }

    fn with_limits(limits: LinkLimits) -> Self {
        let mailbox = Arc::new(Mailbox::new(1000, 1 << 20));
        let services = Services::new([("bot".parse().expect("valid"), ServiceConfig::default())], limits);
        let node = Arc::new(Node { services: services.into(), ..node(&mailbox, &memory_queues()) });
        let shared = node.clone();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let app = move || App::new().configure(|config| configure(config, &shared));
        let server = serve("internal", listener, &HttpOptions::default(), crate::api::accepts_websocket, app).expect("it listens");
        actix_web::rt::spawn(server);
        Self { node, address }
    }

    async fn dial(&self) -> Instance {
        let mut request = format!("ws://{}/v1/services/bot/link", self.address).into_client_request().expect("a good address");
        request.headers_mut().insert("authorization", "Bearer dev".parse().expect("valid"));
        Instance(connect_async(request).await.expect("admitted").0)
    }

    async fn open(&self) -> Instance {
        let mut instance = self.dial().await;
        instance.send(Message::text(HELLO)).await;
        assert_eq!(instance.frame().await["welcome"]["node"], "n1");
        instance
    }

    /// Requests a link with these headers, and expects a refusal.
    async fn refused(&self, service: &str, headers: &[(&str, &str)]) -> (reqwest::header::HeaderMap, Problem) {
        let request = reqwest::Client::new().get(format!("http://{}/v1/services/{service}/link", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.expect("answered");
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], "application/problem+json");
        (headers, response.json().await.expect("a problem document"))
    }

    fn instances(&self) -> usize {
        self.node.services.summary()[0].instances().len()
    }
}

/// The instance's end of a link.
struct Instance(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Instance {
    async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("open");
    }

    async fn raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.expect("open");
    }

    async fn frame(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("open").expect("open") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected a frame, got {other:?}"),
            }
        }
    }

    /// Waits for the close frame. Returns the content of the error frame before it, if there was one.
    async fn closed(mut self) -> (Value, u16, String) {
        let mut error = Value::Null;
        while let Some(Ok(message)) = self.0.next().await {
            match message {
                Message::Text(text) => error = serde_json::from_str::<Value>(&text).expect("JSON")["error"].take(),
                Message::Close(Some(CloseFrame { code, reason })) => return (error, code.into(), reason.to_string()),
                _ => {}
            }
        }
        panic!("ended without a close after {error}");
    }
}

const KEY: (&str, &str) = ("authorization", "Bearer dev");
const UPGRADE: [(&str, &str); 2] = [("connection", "upgrade"), ("upgrade", "websocket")];
const VERSION: (&str, &str) = ("sec-websocket-version", "13");
const NONCE: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");

#[actix_web::test]
async fn a_refused_link_request_gets_the_reason() {
    let listening = Listening::new();
    let [connection, upgrade] = UPGRADE;
    for (name, service, headers, status, code) in [
        ("no key", "bot", &[connection, upgrade, VERSION, NONCE][..], 401, "unauthorized"),
        ("a wrong key", "bot", &[("authorization", "Bearer wrong"), connection, upgrade, VERSION, NONCE], 401, "unauthorized"),
        ("a wrong key and an unknown service", "nobody", &[("authorization", "Bearer wrong")], 401, "unauthorized"),
        ("an unknown service", "nobody", &[KEY, connection, upgrade, VERSION, NONCE], 404, "no_service"),
        ("an invalid name", "No", &[KEY, connection, upgrade, VERSION, NONCE], 400, "bad_request"),
        ("no upgrade", "bot", &[KEY], 426, "upgrade_required"),
        ("an upgrade to something else", "bot", &[KEY, connection, ("upgrade", "h2c"), VERSION, NONCE], 426, "upgrade_required"),
        ("no version", "bot", &[KEY, connection, upgrade, NONCE], 426, "upgrade_required"),
        ("an old version", "bot", &[KEY, connection, upgrade, ("sec-websocket-version", "8"), NONCE], 426, "upgrade_required"),
        ("no nonce", "bot", &[KEY, connection, upgrade, VERSION], 426, "upgrade_required"),
    ] {
        let (response, problem) = listening.refused(service, headers).await;
        assert_eq!((problem.status, &*problem.code), (status, code), "{name}");
        assert!(problem.detail.len() > 10, "{name}: {problem:?}");
        assert_eq!(response.contains_key("sec-websocket-version"), status == 426, "{name}");
    }
    listening.node.health.apply(crate::node::ProcessEvent::EndRequested);
    listening.node.health.apply(crate::node::ProcessEvent::DelayPassed);
    let (response, problem) = listening.refused("bot", &[KEY, connection, upgrade, VERSION, NONCE]).await;
    assert_eq!((problem.status, &*problem.code, response["retry-after"].as_bytes()), (503, "draining", &b"1"[..]));
    assert_eq!(listening.instances(), 0);
}

#[actix_web::test]
async fn a_link_carries_calls_and_publications_until_it_is_closed() {
    let listening = Listening::new();
    let mut bot = listening.open().await;
    assert_eq!(listening.instances(), 1);
    bot.send(Message::text(r#"{"publish":{"id":1,"channel":"news:a","data":"x"}}"#)).await;
    assert_eq!(bot.frame().await["ack"]["offset"], 1);
    bot.send(Message::Ping("are you there?".into())).await;
    bot.send(Message::text(r#"{"publish":{"id":2,"channel":"nowhere:a","data":"x"}}"#)).await;
    assert_eq!(bot.frame().await["nack"]["error"]["code"], "unknown_channel");
    for (content, code) in [
        (r#""text":"hi""#, None),
        (r#""data_base64":"/w==","tags":{"content-type":"image/png"}"#, None),
        (r#""text":"hi","data_base64":"/w==""#, Some("bad_request")),
        (r#""data":1,"tags":{"encoding":"base64"}"#, Some("bad_request")),
        (r#""ephemeral":false"#, Some("bad_request")),
    ] {
        bot.send(Message::text(format!(r#"{{"publish":{{"id":3,"channel":"any:a",{content}}}}}"#))).await;
        assert_eq!(bot.frame().await["nack"]["error"]["code"].as_str(), code, "{content}");
    }
    bot.send(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() }))).await;
    assert_eq!(bot.closed().await.1, 1000);
    assert_eq!(listening.instances(), 0);
}

#[actix_web::test]
async fn malformed_messages_close_the_link_with_the_reason() {
    let large = format!(r#"{{"reply":{{"id":1,"data":"{}"}}}}"#, "x".repeat(SIZE));
    let text = |text: &str| Message::text(text);
    for (name, message, close, code, fragment) in [
        ("not JSON", text("hello"), 1008, "bad_request", "malformed"),
        ("JSON that is no frame", text("[1]"), 1008, "bad_request", "malformed"),
        ("an unknown frame", text(r#"{"dance":{}}"#), 1008, "bad_request", "unknown variant `dance`"),
        ("two frames in one", text(r#"{"drain":{},"credit":{"n":1}}"#), 1008, "bad_request", "malformed"),
        ("binary", Message::binary(HELLO), 1008, "bad_request", "binary"),
        ("too large", text(&large), 1009, "payload_too_large", "larger than 1024 bytes"),
    ] {
        for hello_first in [false, true] {
            let listening = Listening::new();
            let mut bot = if hello_first { listening.open().await } else { listening.dial().await };
            bot.send(message.clone()).await;
            let (error, closed, reason) = bot.closed().await;
            assert_eq!((closed, &error["code"]), (close, &json!(code)), "{name}, hello first: {hello_first}");
            assert!(error["message"].as_str().is_some_and(|message| message.contains(fragment)), "{name}: {error}");
            assert!(!reason.is_empty(), "{name}");
            assert_eq!(listening.instances(), 0, "{name}");
        }
    }
}

#[actix_web::test]
async fn hello_comes_once_first_and_in_time() {
    let listening = Listening::with_limits(LinkLimits { hello_timeout: Duration::from_millis(50), ..LinkLimits::default() });
    let late = listening.dial().await;
    let (error, close, reason) = late.closed().await;
    assert_eq!((close, reason.as_str()), (1008, "no hello in time"));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("Send hello first")), "{error}");

    let listening = Listening::new();
    let mut other = listening.dial().await;
    other.send(Message::text(r#"{"credit":{"n":1}}"#)).await;
    let (error, close, _) = other.closed().await;
    assert_eq!((close, &error["message"]), (1008, &json!("The first frame must be hello.")));

    let mut twice = listening.open().await;
    twice.send(Message::text(HELLO)).await;
    let (error, close, _) = twice.closed().await;
    assert_eq!((close, &error["message"]), (1008, &json!("hello was sent twice.")));
    assert_eq!(listening.instances(), 0);
}

#[actix_web::test]
async fn violations_of_the_transport_and_large_fragmented_messages_close_the_link() {
    let listening = Listening::new();
    let mut unmasked = listening.open().await;
    unmasked.raw(b"\x81\x02{}").await;
    assert_eq!(unmasked.closed().await.1, 1008);

    let mut parts = listening.open().await;
    let part = |first: u8| [&[first, 0xFE, 0x02, 0x58, 0, 0, 0, 0][..], &[b'x'; 600]].concat();
    parts.raw(&[part(0x01), part(0x80)].concat()).await;
    assert_eq!(parts.closed().await.1, 1009, "each fragment is below the limit, both together are not");

    let mut endless = listening.open().await;
    endless.raw(&[0x81, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]).await;
    for _ in 0..5 {
        endless.raw(&[b'x'; 16 * 1024]).await;
    }
    let (error, close, _) = endless.closed().await;
    assert_eq!((close, &error["code"]), (1009, &json!("payload_too_large")), "the frame is refused before its payload arrives");

    let mut many = listening.open().await;
    for id in 0..200 {
        many.send(Message::text(json!({"publish": {"id": id, "channel": "news:a", "data": "x".repeat(900)}}).to_string())).await;
        assert_eq!(many.frame().await["ack"]["id"], id, "many small messages are allowed");
    }
    drop(many);
    while listening.instances() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(listening.instances(), 0);
}

#[actix_web::test]
async fn a_link_without_frames_is_closed_after_two_heartbeats() {
    let listening = Listening::with_limits(LinkLimits { heartbeat: Duration::from_millis(100), ..LinkLimits::default() });
    let mut alive = listening.open().await;
    let quiet = listening.dial().await;
    let mut quiet = quiet.0;
    quiet.send(Message::text(r#"{"hello":{"service":"bot","instance":"i2","credit":8}}"#)).await.expect("open");
    let started = std::time::Instant::now();
    while listening.instances() < 2 {
        tokio::task::yield_now().await;
    }
    // Reading a socket answers its pings, so only one of the two is read.
    let reading = async {
        while started.elapsed() < Duration::from_millis(500) {
            let _ = tokio::time::timeout(Duration::from_millis(20), alive.0.next()).await;
        }
    };
    reading.await;
    assert_eq!(listening.instances(), 1);
    assert_eq!(Instance(quiet).closed().await, (Value::Null, 1008, "no frame for two heartbeats".into()));
    alive.send(Message::text(r#"{"publish":{"id":1,"channel":"news:a","data":"x"}}"#)).await;
    assert_eq!(alive.frame().await["ack"]["id"], 1);
}

#[actix_web::test]
async fn a_drain_is_announced_and_the_stop_closes_the_link() {
    let listening = Listening::new();
    let mut bot = listening.open().await;
    listening.node.services.drain();
    assert_eq!(bot.frame().await, json!({"drain": {}}));
    bot.send(Message::text(r#"{"publish":{"id":1,"channel":"news:a","data":"the last words"}}"#)).await;
    assert_eq!(bot.frame().await["ack"]["id"], 1, "publishes continue during a drain");
    let ((), closed) = tokio::join!(listening.node.services.close(), bot.closed());
    assert_eq!(closed, (Value::Null, 1001, "node stops".into()));
    assert_eq!(listening.instances(), 0);
}

#[actix_web::test]
async fn a_later_link_of_the_same_instance_replaces_the_first() {
    let listening = Listening::new();
    let first = listening.open().await;
    let mut second = listening.open().await;
    assert_eq!(first.closed().await.1, 1008);
    second.send(Message::text(r#"{"publish":{"id":1,"channel":"news:a","data":"x"}}"#)).await;
    assert_eq!(second.frame().await["ack"]["id"], 1);
    assert_eq!(listening.instances(), 1);
}
