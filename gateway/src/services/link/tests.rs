use super::*;
use crate::{
    auth::{ApiKeys, CurrentKeys, HeldKey},
    broker::{Broker, MemoryBroker, MemoryLimits},
    publish::{PublishLimits, Publisher},
    services::{BadReplyCause, CallError, Caller, Change, Count, End, Lifecycle, LinkLimits, Origin, Route, ServiceConfig, Services},
    settings::{OrderedBy, Settings},
    telemetry::Audit,
};
use futures_util::{poll, stream::poll_fn};
use gateway_core::{
    channel::{ChannelOptions, Namespaces},
    model::{ConnectionId, Data, ErrorCode, Retention},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::PollSender;

const HELLO: &str = r#"{"hello":{"service":"bot","instance":"i1","credit":8,"events":["connected"]}}"#;

struct Gateway {
    services: Arc<Services>,
    publisher: Publisher,
}

fn gateway() -> Arc<Gateway> {
    gateway_with(ServiceConfig::default())
}

fn gateway_with(service: ServiceConfig) -> Arc<Gateway> {
    let retention = Some(Retention { size: 10, ttl: Duration::from_mins(1) });
    let kept = Arc::new(ChannelOptions { retention, ..ChannelOptions::default() });
    let namespaces = Namespaces { named: [("chat".into(), kept)].into(), ..Namespaces::default() };
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default())));
    let limits = LinkLimits { publishes_in_flight: 4, ..LinkLimits::default() };
    Arc::new(Gateway {
        services: Services::new([("bot".parse().expect("valid"), service)], limits).with_answers(broker.clone(), 1024).into(),
        publisher: Publisher::new(broker, namespaces, PublishLimits::default()),
    })
}

/// The instance's end of a link. A task runs the gateway's end.
struct Instance {
    to: mpsc::Sender<Received>,
    from: mpsc::Receiver<Sent>,
    ending: JoinHandle<Ending>,
}

impl Instance {
    fn connect(gateway: &Arc<Gateway>) -> Self {
        Self::connect_to(gateway, watch::channel(["ws://n1".to_owned()].into()).1)
    }

    /// Opens a link to a node whose list of nodes changes.
    fn connect_to(gateway: &Arc<Gateway>, nodes: watch::Receiver<Arc<[String]>>) -> Self {
        Self::connect_with(gateway, HeldKey::unlimited("dev"), nodes)
    }

    fn connect_with(gateway: &Arc<Gateway>, key: HeldKey, nodes: watch::Receiver<Arc<[String]>>) -> Self {
        let (to, mut reader) = mpsc::channel(64);
        let (writer, from) = mpsc::channel(64);
        let gateway = Arc::clone(gateway);
        let peer = Peer { service: "bot".parse().expect("valid"), key, audit: Arc::new(Audit::new(1)), node: "n1".into(), nodes };
        let ending = tokio::task::spawn_local(async move {
            serve(&gateway.services, &gateway.publisher, peer, poll_fn(|cx| reader.poll_recv(cx)), PollSender::new(writer)).await
        });
        Self { to, from, ending }
    }

    async fn open(gateway: &Arc<Gateway>) -> Self {
        let mut instance = Self::connect(gateway);
        instance.send(HELLO);
        let welcome = instance.frame().await;
        assert_eq!((&welcome["welcome"]["node"], &welcome["welcome"]["peers"]), (&json!("n1"), &json!(["ws://n1/v1/services/bot/link"])));
        instance
    }

    fn send(&mut self, text: &str) {
        self.receive(Received::Text(text.to_owned().into()));
    }

    /// Passes an input to the gateway's end.
    fn receive(&mut self, received: Received) {
        self.to.try_send(received).expect("room");
    }

    async fn next(&mut self) -> Sent {
        self.from.recv().await.expect("the link is open")
    }

    async fn frame(&mut self) -> Value {
        match self.next().await {
            Sent::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    async fn closed(mut self) -> (u16, Ending) {
        loop {
            if let Sent::Close(frame) = self.next().await {
                assert!(!frame.reason.is_empty() && frame.reason.len() <= 123);
                return (frame.code, self.ending.await.expect("no panic"));
            }
        }
    }
}

fn caller() -> Caller {
    Caller::of("alice")
}

fn call(gateway: &Arc<Gateway>) -> JoinHandle<Result<crate::services::Reply, CallError>> {
    let gateway = Arc::clone(gateway);
    tokio::spawn(async move { gateway.services.call("bot.say", Data::null(), &caller(), Duration::MAX).await })
}

/// Runs a test with paused time and with tasks that need not be `Send`.
fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn the_instance_gets_calls_and_events_and_callers_get_the_answers() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        let answered = call(&gateway);
        let frame = bot.frame().await;
        assert_eq!((&frame["call"]["method"], &frame["call"]["user"]), (&json!("say"), &json!("alice")));
        bot.send(&format!("{{\"reply\":{{\"id\":{},\"data\":{{\"a\": 1}}}}}}", frame["call"]["id"]));
        assert_eq!(answered.await.expect("no panic").expect("a reply").data.get(), r#"{"a":1}"#);

        for (answer, expected) in [
            (
                json!({"code": 404, "message": "no", "temporary": true}),
                CallError::Service { code: 404, message: "no".into(), temporary: true },
            ),
            (
                json!({"code": 404, "message": "x".repeat(2000)}),
                CallError::Service { code: 404, message: "x".repeat(1024), temporary: false },
            ),
        ] {
            let failed = call(&gateway);
            let mut error = answer;
            error["id"] = bot.frame().await["call"]["id"].clone();
            bot.send(&json!({ "error": error }).to_string());
            assert_eq!(failed.await.expect("no panic"), Err(expected));
        }

        gateway.services.event("bot", Data::null(), &caller()).await.expect("sent");
        assert_eq!(bot.frame().await["event"]["kind"], "message");
        let connection = ConnectionId::random();
        let origin = || Origin { holder: "n1/1".into(), connection, user: "alice".parse().expect("valid"), meta: None };
        gateway.services.send_lifecycle(&Lifecycle::new(Change::Disconnected(origin(), End::broken())));
        gateway.services.send_lifecycle(&Lifecycle::new(Change::Connected(origin())));
        let event_frame = bot.frame().await;
        assert_eq!(event_frame["event"]["kind"], "connected", "the instance gets only the events that it requested");
        assert_eq!(event_frame["event"]["id"], format!("n1/1/{connection}/connected"));
        gateway.services.drain();
        assert_eq!(bot.frame().await, json!({"drain": {}}));
    });
}

#[test]
fn lifecycle_events_that_wait_are_written_as_soon_as_the_instance_grants_credit() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        let waiting = Arc::clone(&gateway);
        tokio::task::spawn_local(async move { waiting.services.send_waiting_events().await });
        let connected = || {
            let origin =
                Origin { holder: "n1/1".into(), connection: ConnectionId::random(), user: "alice".parse().expect("valid"), meta: None };
            Lifecycle::new(Change::Connected(origin))
        };
        let events: Vec<_> = (0..12).map(|_| connected()).collect();
        for event in &events {
            gateway.services.send_lifecycle(event);
        }
        let begun = Instant::now();
        for (at, event) in events.iter().enumerate() {
            if at >= 8 {
                // Half of its eight are left for calls, so one event needs five.
                bot.send(r#"{"credit":{"n":5}}"#);
            }
            assert_eq!(bot.frame().await["event"]["id"], event.id());
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_frame_is_at_most_the_overhead_larger_than_the_command_of_the_frontend() {
    run(async {
        let keyed = |key: &str| key.parse().expect("a pointer");
        let route = Route { order: OrderedBy::Member(keyed("/k")), idempotency: Some(keyed("/k")), ..Route::default() };
        let gateway = gateway_with(ServiceConfig { route, ..ServiceConfig::default() });
        let mut bot = Instance::open(&gateway).await;
        let (method, data) = ("bot.\\".to_owned() + &"\"".repeat(250), json!({"k": "\"".repeat(255)}).to_string());
        // The size includes the escapes of JSON.
        let sent = serde_json::to_string(&method).expect("JSON").len() + data.len();
        let caller = Caller {
            user: "u".repeat(254).parse().expect("valid"),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            meta: gateway_core::model::Meta::check(
                Data::parse(&serde_json::value::to_raw_value(&"m".repeat(1022)).expect("JSON")).expect("flat"),
            )
            .expect("1 KiB"),
            ..caller()
        };
        let raw = serde_json::value::RawValue::from_string(data).expect("JSON");
        let data = Data::parse(&raw).expect("flat");
        let event = gateway.services.event("bot", data.clone(), &caller).await;
        event.expect("sent");
        let calling = Arc::clone(&gateway);
        let _call = tokio::spawn(async move { calling.services.call(&method, data, &caller, Duration::MAX).await });
        for kind in ["event", "call"] {
            let Sent::Text(frame) = bot.next().await else { panic!("no frame") };
            assert!(frame.contains(kind) && frame.len() <= sent + shared_proto::link::FRAME_OVERHEAD - 900, "{} for {sent}", frame.len());
        }
    });
}

#[test]
fn invalid_answers_become_bad_replies() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let long = "x".repeat(64 << 10);
        for (kind, rest, cause) in [
            ("reply", format!("\"data\":{deep}"), BadReplyCause::Invalid),
            ("reply", format!("\"data\":\"{long}\""), BadReplyCause::TooLarge),
            ("error", r#""code":1000,"message":"mine""#.into(), BadReplyCause::Invalid),
        ] {
            let failed = call(&gateway);
            let id = bot.frame().await["call"]["id"].clone();
            bot.send(&format!("{{\"{kind}\":{{\"id\":{id},{rest}}}}}"));
            let answer = failed.await.expect("no panic");
            assert!(matches!(&answer, Err(CallError::BadReply(bad)) if bad.cause == cause), "{kind}: {answer:?}");
        }
    });
}

#[test]
fn publications_of_a_channel_keep_their_order_and_are_acknowledged_with_positions() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        for id in 1..=3 {
            bot.send(&format!(r#"{{"publish":{{"id":{id},"channel":"chat:a","data":{id},"idempotency_key":"k{id}"}}}}"#));
        }
        for id in 1..=3 {
            let ack = bot.frame().await;
            assert_eq!((&ack["ack"]["id"], &ack["ack"]["offset"]), (&json!(id), &json!(id)));
        }
        bot.send(r#"{"publish":{"id":4,"channel":"chat:a","data":3,"idempotency_key":"k3"}}"#);
        assert_eq!(bot.frame().await["ack"]["offset"], 3, "a repeat gets the position of the first");
        bot.send(r#"{"publish":{"id":5,"channel":"chat:a","data":1,"ephemeral":true}}"#);
        assert_eq!(bot.frame().await, json!({"ack": {"id": 5, "offset": 0}}));
        for (id, channel, code) in [(6, "nowhere:a", "unknown_channel"), (7, "a b", "bad_request")] {
            bot.send(&json!({"publish": {"id": id, "channel": channel, "data": 1}}).to_string());
            let nack = bot.frame().await;
            assert_eq!((&nack["nack"]["id"], &nack["nack"]["error"]["code"]), (&json!(id), &json!(code)));
        }
    });
}

#[test]
fn publications_above_the_limit_are_refused_one_by_one() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        for id in 0..6 {
            bot.send(&json!({"publish": {"id": id, "channel": "chat:a", "data": id}}).to_string());
        }
        let mut refused = 0;
        for _ in 0..6 {
            let frame = bot.frame().await;
            refused += u32::from(frame["nack"]["error"]["code"] == "too_many_requests");
        }
        assert_eq!(refused, 2, "six publications were sent at once, and four are allowed");
    });
}

#[test]
fn a_malformed_first_frame_closes_the_link_with_the_reason() {
    run(async {
        let first = |text: &str| Received::Text(text.to_owned().into());
        let hello = |instance: &str, rest: &str| first(&format!(r#"{{"hello":{{"service":"bot","instance":"{instance}"{rest}}}}}"#));
        for (received, code) in [
            (first("{"), 1008),
            (first("\u{e9}"), 1008),
            (first(r#"{"credit":{"n":1}}"#), 1008),
            (first(r#"{"hello":["bot","i",1]}"#), 1008),
            (first(r#"["hello",{"service":"bot","instance":"i","credit":1}]"#), 1008),
            (first(r#"{"hello":{"service":"other","instance":"i","credit":1}}"#), 1008),
            (hello("", r#","credit":1"#), 1008),
            (hello("a b", r#","credit":1"#), 1008),
            (hello("i", r#","credit":70000"#), 1008),
            (hello("i", r#","credit":-1"#), 1008),
            (hello("i", r#","credit":1,"more":1"#), 1008),
            (hello("i", r#","credit":1,"events":["born"]"#), 1008),
            (hello("i", r#","credit":4294967296"#), 1008),
            (hello("i", r#","credit":1,"credit":2"#), 1008),
            (hello(&"i".repeat(65), r#","credit":1"#), 1008),
            (hello("i", ""), 1008),
            (first(r#"{"hello":["bot","i",1]}"#), 1008),
            (first("null"), 1008),
            (first("\"drain\""), 1008),
            (Received::Invalid(Invalid::Binary), 1008),
            (Received::Invalid(Invalid::Protocol), 1008),
            (Received::Invalid(Invalid::TooLarge), 1009),
        ] {
            let gateway = gateway();
            let mut bot = Instance::connect(&gateway);
            bot.receive(received.clone());
            assert!(bot.frame().await["error"]["message"].as_str().is_some_and(|m| m.len() > 10), "{received:?}");
            assert_eq!(bot.closed().await.0, code, "{received:?}");
            assert_eq!(gateway.services.counters().get(Count::LinkRefused), 1);
        }
    });
}

#[test]
fn a_bad_frame_after_the_hello_ends_the_link_and_its_calls() {
    run(async {
        for bad in [HELLO, r#"{"credit":[5]}"#, r#"{"reply":[1,2]}"#, r#"{"drain":[]}"#] {
            let gateway = gateway();
            let mut bot = Instance::open(&gateway).await;
            let lost = call(&gateway);
            bot.frame().await;
            bot.send(bad);
            let (code, ending) = bot.closed().await;
            assert!(code == 1008 && matches!(ending, Ending::Malformed(_)), "{bad}");
            let Err(CallError::Refused(refusal)) = lost.await.expect("no panic") else { panic!("the call has to fail") };
            assert_eq!(refusal.code, ErrorCode::Timeout, "the call was sent, so its outcome is unknown");
            assert!(gateway.services.summary()[0].instances().is_empty());
        }
    });
}

#[test]
fn the_error_names_the_fault_of_a_bad_frame_and_nothing_changes() {
    for (frame, fragment) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[]", "expected an object"),
        ("{}", "expected enum"),
        (r#"{"dance":{}}"#, "unknown variant `dance`"),
        (r#"{"credit":{"n":1},"drain":{}}"#, "trailing comma"),
        (r#"{"credit":{"n":1}} {}"#, "trailing characters"),
        (r#"{"credit":null}"#, "credit: invalid type: null"),
        (r#"{"credit": [1]}"#, "credit: invalid type: sequence"),
        (r#"{"credit":{}}"#, "credit: missing field `n`"),
        (r#"{"credit":{"n":null}}"#, "credit.n: invalid type: null"),
        (r#"{"credit":{"n":-1}}"#, "credit.n: invalid value"),
        (r#"{"credit":{"n":4294967296}}"#, "credit.n: invalid value"),
        (r#"{"credit":{"n":1.5}}"#, "credit.n: invalid type"),
        (r#"{"credit":{"n":1,"n":2}}"#, "duplicate field"),
        (r#"{"credit":{"n":1,"m":2}}"#, "unknown field `m`"),
        (r#"{"reply":{"data":1}}"#, "reply: missing field `id`"),
        (r#"{"reply":{"id":1}}"#, "missing field `data`"),
        (r#"{"reply":{"id":"1","data":1}}"#, "reply.id: invalid type"),
        (r#"{"reply":{"id":18446744073709551616,"data":1}}"#, "reply.id: invalid type"),
        (r#"{"error":{"id":1,"code":"x","message":"m"}}"#, "error.code: invalid type"),
        (r#"{"error":{"id":1,"code":400}}"#, "missing field `message`"),
        (r#"{"publish":{"id":1,"channel":"chat:a","text":1}}"#, "publish.text: invalid type"),
        (r#"{"publish":{"id":1,"channel":5,"data":1}}"#, "publish.channel: invalid type"),
        (r#"{"publish":{"id":1,"channel":"chat:a","data":1,"tags":{"a":1}}}"#, "publish.tags.a: invalid type"),
        (r#"{"publish":{"id":1,"channel":"chat:a","data":1,"ephemeral":"no"}}"#, "publish.ephemeral: invalid type"),
        (r#"{"publish":{"id":1,"channel":"chat:a","data":1,"dat":1}}"#, "unknown field `dat`"),
        (r#"{"publish":[1,"chat:a",1]}"#, "publish: invalid type: sequence"),
    ] {
        run(async {
            let gateway = gateway();
            let mut bot = Instance::open(&gateway).await;
            bot.send(frame);
            let error = bot.frame().await;
            assert_eq!(error["error"]["code"], "bad_request", "{frame}");
            assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains(fragment)), "{frame}: {error}");
            assert_eq!(bot.closed().await.0, 1008, "{frame}");
            let counters = gateway.services.counters();
            assert_eq!((counters.get(Count::PublishAcked), counters.get(Count::PublishNacked)), (0, 0), "{frame}");
        });
    }
}

#[test]
fn a_refused_publication_gets_an_answer_and_the_link_stays() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let data = |data: &str| format!(r#""channel":"chat:a","data":{data}"#);
        for (fields, code) in [
            (r#""channel":"","data":1"#.to_owned(), "bad_request"),
            (r#""channel":"chat:","data":1"#.into(), "bad_request"),
            (r#""channel":"nowhere:a","data":1"#.into(), "unknown_channel"),
            (data(&deep), "bad_request"),
            (r#""channel":"chat:a""#.into(), "bad_request"),
            (r#""channel":"chat:a","text":"hi""#.into(), "bad_request"),
            (data(r#"1,"text":"hi""#), "bad_request"),
            (data(r#"1,"tags":{"encoding":"base64"}"#), "bad_request"),
            (data(&format!("\"{}\"", "x".repeat(65 << 10))), "payload_too_large"),
            (data(r#"1,"tags":{"":"x"}"#), "bad_request"),
            (data(r#"1,"idempotency_key":"""#), "bad_request"),
            (data(r#"1,"idempotency_key":"a b""#), "bad_request"),
            (data(r#"1,"producer":{"id":"","epoch":0,"seq":0}"#), "bad_request"),
            (data(r#"1,"producer":{"id":"p","epoch":0,"seq":9007199254740992}"#), "bad_request"),
            (data(r#"1,"producer":{"id":"p","epoch":0,"seq":1}"#), "sequence_gap"),
            (data(r#"1,"producer":{"id":"p","epoch":0,"seq":0},"idempotency_key":"k""#), "invalid_producer"),
            (data(r#"1,"producer":{"id":"p","epoch":0,"seq":0},"ephemeral":true"#), "invalid_producer"),
        ] {
            bot.send(&format!(r#"{{"publish":{{"id":7,{fields}}}}}"#));
            let nack = bot.frame().await;
            let shown = &fields[..fields.len().min(80)];
            assert_eq!((&nack["nack"]["id"], &nack["nack"]["error"]["code"]), (&json!(7), &json!(code)), "{shown}: {nack}");
        }
        bot.send(r#"{"publish":{"id":8,"channel":"chat:a","data":1}}"#);
        assert_eq!(bot.frame().await["ack"]["offset"], 1, "no refused publication was stored");
    });
}

#[test]
fn publications_of_a_producer_are_acknowledged_once_and_in_order() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        for (id, seq) in [(1, 0), (2, 1), (3, 0), (4, 3)] {
            let producer = format!(r#"{{"id":"p","epoch":0,"seq":{seq}}}"#);
            bot.send(&format!(r#"{{"publish":{{"id":{id},"channel":"chat:a","data":{seq},"producer":{producer}}}}}"#));
        }
        for (id, offset) in [(1, 1), (2, 2), (3, 1)] {
            let ack = bot.frame().await;
            assert_eq!((&ack["ack"]["id"], &ack["ack"]["offset"]), (&json!(id), &json!(offset)), "{ack}");
        }
        let nack = bot.frame().await;
        assert_eq!((&nack["nack"]["error"]["code"], &nack["nack"]["error"]["expected"]), (&json!("sequence_gap"), &json!(2)), "{nack}");
    });
}

#[test]
fn a_link_without_frames_is_pinged_and_a_pong_keeps_it_open() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        for _ in 0..3 {
            assert_eq!(bot.next().await, Sent::Ping);
            bot.receive(Received::Pong);
        }
        bot.receive(Received::Ping("x".into()));
        assert_eq!(bot.next().await, Sent::Pong("x".into()));
        assert_eq!(bot.next().await, Sent::Ping);
        assert_eq!(bot.closed().await, (1008, Ending::HeartbeatTimeout));
    });
}

#[test]
fn a_link_without_hello_ends_in_time() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::connect(&gateway);
        let start = Instant::now();
        assert!(bot.frame().await["error"].is_object());
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        assert_eq!(bot.closed().await, (1008, Ending::NoHello));
    });
}

#[test]
fn links_end_when_replaced_when_the_peer_leaves_and_when_the_node_stops() {
    run(async {
        let gateway = gateway();
        let first = Instance::open(&gateway).await;
        let mut second = Instance::open(&gateway).await;
        assert_eq!(first.closed().await, (1008, Ending::Replaced));
        assert_eq!(gateway.services.summary()[0].instances().len(), 1);
        second.receive(Received::Close);
        assert_eq!(second.closed().await, (1000, Ending::ClosedByInstance));
        let third = Instance::open(&gateway).await;
        let ((), ended) = tokio::join!(gateway.services.close(), third.closed());
        assert_eq!(ended, (1001, Ending::Stopped));
        assert!(gateway.services.summary()[0].instances().is_empty());
    });
}

/// Keys in force: one with the scopes.
fn keys_with(scopes: &str) -> ApiKeys {
    let settings = Settings::from_toml(&format!("[[api_keys]]\nname = \"bot\"\nkey = \"k\"\nscopes = [{scopes}]"));
    ApiKeys::try_from(&settings.expect("valid").api_keys[..]).expect("valid")
}

#[test]
fn links_end_when_their_key_loses_its_scope_and_publish_by_the_scopes_that_it_has_now() {
    run(async {
        let gateway = gateway();
        let keys = CurrentKeys::new(keys_with(r#""link:bot", "publish:chat:*""#));
        let held = keys.hold(keys.authorize(Some("Bearer k"), None).expect("a key"));
        let connect = || Instance::connect_with(&gateway, held.clone(), watch::channel([].into()).1);
        let (mut bot, silent) = (connect(), connect());
        bot.send(HELLO);
        assert!(bot.frame().await["welcome"].is_object());
        bot.send(r#"{"publish":{"id":1,"channel":"chat:a","data":1}}"#);
        assert_eq!(bot.frame().await["ack"]["id"], 1);
        keys.replace(keys_with(r#""link:bot""#));
        bot.send(r#"{"publish":{"id":2,"channel":"chat:a","data":1}}"#);
        assert_eq!(bot.frame().await["nack"]["error"]["code"], "permission_denied");
        keys.replace(keys_with(r#""publish:chat:*""#));
        let error = bot.frame().await["error"].take();
        assert_eq!((&error["code"], &error["retryable"]), (&json!("permission_denied"), &json!(false)), "{error}");
        for link in [bot, silent] {
            let (code, ending) = link.closed().await;
            assert!(code == 1008 && matches!(&ending, Ending::KeyRemoved(refusal) if refusal.detail.contains("`link:bot`")), "{ending:?}");
        }
        assert!(gateway.services.summary()[0].instances().is_empty());
        assert_eq!(gateway.services.counters().get(Count::LinkKeyRemoved), 2);
    });
}

#[test]
fn a_node_that_stops_writes_all_frames_before_its_links_close() {
    run(async {
        let gateway = gateway();
        let mut bot = Instance::open(&gateway).await;
        let caller = caller();
        let mut call = Box::pin(gateway.services.call("bot.say", Data::null(), &caller, Duration::MAX));
        assert!(poll!(&mut call).is_pending());
        let id = bot.frame().await["call"]["id"].clone();
        drop(call);
        let start = Instant::now();
        let peer = async {
            assert_eq!(bot.frame().await, json!({"cancel": {"id": id}}));
            assert!(matches!(bot.next().await, Sent::Close(_)));
            sleep(Duration::from_millis(300)).await;
            bot.receive(Received::Close);
        };
        tokio::join!(gateway.services.close(), peer);
        assert_eq!(start.elapsed(), Duration::from_millis(300), "the stop waits exactly until the peer has closed");
    });
}

#[test]
fn a_peer_that_reads_nothing_delays_the_stop_only_shortly() {
    run(async {
        let gateway = gateway();
        let bot = Instance::open(&gateway).await;
        for _ in 0..100 {
            gateway.services.drain();
        }
        let start = Instant::now();
        gateway.services.close().await;
        assert_eq!(start.elapsed(), 2 * LinkLimits::default().close_timeout);
        assert_eq!(bot.ending.await.expect("no panic"), Ending::Stopped);
    });
}

#[test]
fn calls_that_a_stuck_link_did_not_send_are_unavailable() {
    run(async {
        let gateway = gateway();
        let (to, mut reader) = mpsc::channel(8);
        // The transport has room only for the welcome frame. The first call waits in the transport, the others in the queue.
        let (writer, from) = mpsc::channel(1);
        let peer = Peer {
            service: "bot".parse().expect("valid"),
            key: HeldKey::unlimited("dev"),
            audit: Arc::new(Audit::new(1)),
            node: "n1".into(),
            nodes: watch::channel([].into()).1,
        };
        let served = Arc::clone(&gateway);
        let link = tokio::task::spawn_local(async move {
            serve(&served.services, &served.publisher, peer, poll_fn(|cx| reader.poll_recv(cx)), PollSender::new(writer)).await
        });
        to.try_send(Received::Text(HELLO.into())).expect("room");
        tokio::time::sleep(Duration::from_millis(1)).await;
        let calls: Vec<_> = (0..4).map(|_| call(&gateway)).collect();
        tokio::time::sleep(Duration::from_millis(1)).await;
        to.try_send(Received::Close).expect("room");
        let mut codes = Vec::new();
        for call in calls {
            let Err(CallError::Refused(refusal)) = call.await.expect("no panic") else { panic!("the call has to fail") };
            codes.push(refusal.code);
        }
        let unavailable = codes.iter().filter(|code| **code == ErrorCode::ServiceUnavailable).count();
        assert_eq!((unavailable, codes.len()), (3, 4), "{codes:?}");
        drop(from);
        assert_eq!(link.await.expect("no panic"), Ending::ClosedByInstance);
    });
}

#[test]
fn an_instance_gets_a_welcome_for_every_change_of_the_nodes() {
    run(async {
        let gateway = gateway();
        let nodes = watch::Sender::new(Arc::from(["ws://n1".to_owned()]));
        let mut instance = Instance::connect_to(&gateway, nodes.subscribe());
        instance.send(HELLO);
        let link = |node: &str| format!("ws://{node}/v1/services/bot/link");
        assert_eq!(instance.frame().await["welcome"]["peers"], json!([link("n1")]));
        nodes.send_replace(Arc::from(["ws://n1".to_owned(), "ws://n2".to_owned()]));
        assert_eq!(instance.frame().await["welcome"]["peers"], json!([link("n1"), link("n2")]));
        nodes.send_replace(Arc::from(["ws://n2".to_owned()]));
        assert_eq!(instance.frame().await["welcome"]["peers"], json!([link("n2")]));
    });
}
