//! Calls and events over real sockets. The clock is not paused, because sockets take real time; only [`Target::is_untouched`] waits for a
//! fixed time, for something that must not happen.

use super::*;
use crate::{
    broker::{Broker, MemoryBroker, MemoryLimits},
    services::{Caller, LinkLimits, Reach, Reached, Route, ServiceConfig, Services, call_types::CallError},
    settings::{OrderedBy, Settings},
};
use gateway_core::model::{Data, ErrorCode};
use redis_testing::Authority;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde_json::{json, value::RawValue};
use target::{Target, soon};
use tokio::{net::TcpListener, task::JoinHandle};

mod lifecycle;
pub(in crate::services) mod target;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A gateway's services with one webhook, `shop`.
fn shop(toml: &str) -> Arc<Services> {
    shop_with(toml, |config| config)
}

fn shop_with(toml: &str, change: impl Fn(ServiceConfig) -> ServiceConfig) -> Arc<Services> {
    let settings = Settings::from_toml(&format!("[services.shop]\nreach = \"webhook\"\n{toml}")).expect(toml);
    let service = &settings.services["shop"];
    let webhook = WebhookConfig::new("shop", &settings, service).expect(toml);
    let config = ServiceConfig {
        reach: Reach::Webhook(Arc::new(webhook)),
        route: Route { call_timeout: service.route.call_timeout, idempotency: service.route.idempotency.0.clone(), ..Route::default() },
        ..ServiceConfig::default()
    };
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default())));
    let services = Services::new([("shop".parse().expect("valid"), change(config))], LinkLimits::default());
    Arc::new(services.with_answers(broker, 1024))
}

fn urls(urls: &[&str]) -> String {
    format!("urls = {urls:?}\n")
}

fn data(json: &str) -> Data {
    Data::parse(&RawValue::from_string(json.into()).expect("JSON")).expect("shallow")
}

fn caller() -> Caller {
    Caller { traceparent: Some(TRACE.into()), ..Caller::of("alice") }
}

fn call_as(services: &Arc<Services>, caller: &Caller, method: &str) -> JoinHandle<CallResult> {
    let (services, caller, method) = (Arc::clone(services), caller.clone(), format!("shop.{method}"));
    tokio::spawn(async move { services.call(&method, data("{\"n\":1}"), &caller, Duration::from_mins(1)).await })
}

fn call(services: &Arc<Services>) -> JoinHandle<CallResult> {
    call_as(services, &caller(), "buy")
}

async fn answer(call: JoinHandle<CallResult>) -> CallResult {
    soon("the answer", call).await.expect("no panic")
}

async fn refusal(call: JoinHandle<CallResult>) -> (ErrorCode, String) {
    match answer(call).await {
        Err(CallError::Refused(refusal)) => (refusal.code, refusal.detail),
        Err(CallError::BadReply(bad)) => (ErrorCode::BadReply, bad.detail),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// An address at which nobody listens.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound").to_string()
}

fn in_flight(services: &Services) -> usize {
    targets(services).iter().map(|target| target.in_flight).sum()
}

fn targets(services: &Services) -> Vec<TargetSummary> {
    match services.summary().swap_remove(0).reached {
        Reached::ByWebhook(targets) => targets,
        other @ (Reached::ByLinks(_) | Reached::ByQueue) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_one_signed_request_and_the_connection_is_used_again() {
    let target = Target::new().await;
    let services = shop(&format!(
        "{}secrets = [\"{SECRET}\"]\nheaders = {{ Authorization = \"Bearer hush\" }}\ncall_timeout = \"9s\"",
        urls(&[&format!("http://{}/rpc/{{method}}?v=1", target.address())])
    ));
    let caller = caller();
    let first = call_as(&services, &caller, "a/b");
    let mut peer = target.accept().await;
    let request = peer.request().await;
    assert_eq!(request.line, "POST /rpc/a%2Fb?v=1");
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!((header("host"), header("content-type"), header("authorization")), (&*target.address(), "application/json", "Bearer hush"));
    let left: u64 = header("request-timeout-ms").parse().expect("a number");
    assert!((1..=9000).contains(&left), "{left}");
    assert_eq!(header("traceparent"), TRACE);
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now - timestamp.parse::<u64>().expect("a number") < 60);
    let signer = super::super::signature::Signer::parse(&[SECRET.into()]).expect("valid");
    assert_eq!(Some(header("webhook-signature")), signer.sign(id, timestamp, &request.body).as_deref());
    let connection = caller.connection.to_string();
    let body = json!({ "id": id, "method": "a/b", "data": { "n": 1 }, "user": "alice", "connection": connection, "order_key": connection });
    assert_eq!(request.json(), json!({ "call": body }));
    peer.reply("{\"ok\": true}").await;
    assert_eq!(answer(first).await, Ok(data("{\"ok\":true}").into()));
    let second = call(&services);
    assert_ne!(peer.request().await.headers["webhook-id"], id, "another call on the same connection");
    peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(answer(second).await, Ok(Data::null().into()));
    assert_eq!((services.counters().get(Count::CallAnswered), in_flight(&services)), (2, 0));
    let latency = targets(&services)[0].latency.expect("requests");
    assert!(latency.calls == 2 && latency.p99 < Duration::from_secs(20), "{latency:?}");
}

#[tokio::test]
async fn the_services_own_error_reaches_the_caller() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    let call = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.answer("409 Conflict", "application/problem+json", "{\"code\": 601, \"detail\": \"sold out\", \"retryable\": true}").await;
    assert_eq!(answer(call).await, Err(CallError::Service { code: 601, message: "sold out".into(), temporary: true }));
    assert_eq!(services.counters().get(Count::CallFailedByService), 1);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (target, other) = (Target::new().await, Target::new().await);
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    let call = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.send(format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", other.address())).await;
    let (code, detail) = refusal(call).await;
    assert_eq!(code, ErrorCode::BadReply);
    assert!(detail.contains("307") && other.is_untouched().await, "{detail}");
}

#[tokio::test]
async fn a_call_with_a_key_that_wrong_settings_kept_from_the_service_is_sent_again() {
    let target = Target::new().await;
    let services = shop(&format!("{}idempotency = \"/n\"\n", urls(&[&format!("http://{}/", target.address())])));
    let caller = caller();
    let opens = call_as(&services, &caller, "open");
    let mut peer = target.accept().await;
    peer.request().await;
    peer.reply("0").await;
    answer(opens).await.expect("a reply");
    for status in
        ["301 Moved Permanently", "307 Temporary Redirect", "401 Unauthorized", "403 Forbidden", "404 Not Found", "405 Method Not Allowed"]
    {
        let call = call_as(&services, &caller, "buy");
        peer.request().await;
        peer.answer(status, "text/html", "<p>").await;
        assert_eq!(refusal(call).await.0, ErrorCode::BadReply, "{status}");
    }
    let call = call_as(&services, &caller, "buy");
    peer.request().await;
    peer.reply("1").await;
    assert_eq!(answer(call).await, Ok(data("1").into()));
    assert_eq!(services.counters().get(Count::AnswerReleased), 6);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_not_read_to_its_end() {
    const HUNDRED_MIB: usize = 100 << 20;
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    for head in [format!("content-length: {HUNDRED_MIB}"), "transfer-encoding: chunked".into(), "connection: close".into()] {
        let call = call(&services);
        let mut peer = target.accept().await;
        peer.request().await;
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n\r\n")).await;
        let chunk = format!("8000\r\n{}\r\n", "1".repeat(0x8000));
        let accepted = peer.flood(chunk.as_bytes(), HUNDRED_MIB).await;
        assert!(accepted < HUNDRED_MIB / 4, "{head}: the buffers of the kernel took {accepted} bytes");
        let (code, detail) = refusal(call).await;
        assert_eq!(code, ErrorCode::BadReply, "{head}");
        assert!(detail.contains("more than 65536 bytes"), "{head}: {detail}");
    }
}

#[tokio::test]
async fn a_repeat_of_a_call_whose_reply_was_too_large_learns_that_it_was_carried_out() {
    let target = Target::new().await;
    let services = shop(&format!("{}idempotency = \"/n\"\n", urls(&[&format!("http://{}/", target.address())])));
    let first = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 65537\r\n\r\n").await;
    assert_eq!(refusal(first).await.0, ErrorCode::BadReply);
    assert_eq!(refusal(call(&services)).await.0, ErrorCode::AnswerTooLarge);
    assert!(target.is_untouched().await);
}

#[tokio::test]
async fn heads_that_are_too_long_or_not_http_are_bad_replies() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "a".repeat(1 << 20));
    for bytes in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        &long,
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
    ] {
        let call = call(&services);
        let mut peer = target.accept().await;
        peer.request().await;
        peer.flood(bytes.as_bytes(), bytes.len()).await;
        let (code, detail) = refusal(call).await;
        assert_eq!(code, ErrorCode::BadReply, "{bytes:.40}: {detail}");
        assert!(detail.contains("not HTTP"), "{detail}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_outcome_open() {
    let (target, other) = (Target::new().await, Target::new().await);
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    for part in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n[1,2"] {
        let call = call(&services);
        let mut peer = target.accept().await;
        peer.request().await;
        peer.send(part).await;
        drop(peer);
        let (code, detail) = refusal(call).await;
        assert_eq!(code, ErrorCode::Timeout, "{part}");
        assert!(detail.contains("may have carried the call out"), "{part}: {detail}");
    }
    assert!(target.is_untouched().await && other.is_untouched().await, "such a call is not sent again");
    // A connection that was used before.
    let first = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.reply("1").await;
    answer(first).await.expect("a reply");
    let second = call(&services);
    peer.request().await;
    drop(peer);
    assert_eq!(refusal(second).await.0, ErrorCode::Timeout);
    assert!(target.is_untouched().await);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_costs_no_call() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    let first = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n1").await;
    answer(first).await.expect("a reply");
    drop(peer);
    let second = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.reply("2").await;
    assert_eq!(answer(second).await, Ok(data("2").into()));
}

#[tokio::test]
async fn a_target_that_refuses_connections_is_replaced_by_another_one() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", nobody().await), &format!("http://{}/", target.address())]));
    let calls: Vec<_> = (0..20).map(|_| call(&services)).collect();
    for _ in 0..20 {
        let mut peer = target.accept().await;
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n1").await;
    }
    for call in calls {
        assert_eq!(answer(call).await, Ok(data("1").into()));
    }
    assert!(target.is_untouched().await, "each call was carried out once");
}

#[tokio::test]
async fn without_any_target_a_call_is_unavailable_after_three_tries_and_the_breaker_opens() {
    let services = shop(&format!("{}breaker_failures = 3\n", urls(&[&format!("http://{}/", nobody().await)])));
    let (code, detail) = refusal(call(&services)).await;
    assert_eq!((code, &*detail), (ErrorCode::ServiceUnavailable, "No target of shop could be reached. Try again shortly."));
    let (code, detail) = refusal(call(&services)).await;
    assert_eq!(code, ErrorCode::ServiceUnavailable);
    assert!(detail.starts_with("Every target of shop is draining, or failed too often recently. Try again in "), "{detail}");
    assert_eq!(in_flight(&services), 0);
}

#[tokio::test]
async fn a_call_with_a_key_is_sent_again_to_a_busy_target_twice_and_only_within_its_time() {
    let target = Target::new().await;
    let toml = format!("{}idempotency = \"/n\"\ncall_timeout = \"9s\"\n", urls(&[&format!("http://{}/", target.address())]));
    let busy = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nretry-after: 0\r\n\r\n";
    let first = shop(&toml);
    let patient = call(&first);
    let mut peer = target.accept().await;
    let request = peer.request().await;
    peer.send(busy).await;
    let again = peer.request().await;
    assert_eq!((&again.headers["webhook-id"], &again.body), (&request.headers["webhook-id"], &request.body));
    let asked = Instant::now();
    peer.answer("503 Service Unavailable", "application/problem+json", "{}").await;
    peer.request().await;
    assert!(asked.elapsed() >= BUSY_PAUSE, "it asked for no pause: {:?}", asked.elapsed());
    peer.reply("1").await;
    assert_eq!(answer(patient).await, Ok(data("1").into()));

    let second = shop(&toml);
    let unlucky = call(&second);
    let mut peer = target.accept().await;
    for _ in 0..3 {
        peer.request().await;
        peer.send(busy).await;
    }
    assert_eq!(refusal(unlucky).await.0, ErrorCode::Overloaded, "three tries");

    let late = call(&second);
    peer.request().await;
    peer.send(busy.replace("retry-after: 0", "retry-after: 10")).await;
    let started = Instant::now();
    let (code, detail) = refusal(late).await;
    assert!(code == ErrorCode::Overloaded && detail.ends_with("Try again in 10 s."), "{detail}");
    assert!(started.elapsed() < Duration::from_secs(9), "a pause that is longer than its time is no pause");
    assert_eq!((in_flight(&first), in_flight(&second)), (0, 0));
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_deadline_and_closes_the_connection() {
    let target = Target::new().await;
    let services = shop(&format!("{}call_timeout = \"300ms\"\nbreaker_failures = 1\n", urls(&[&format!("http://{}/", target.address())])));
    let started = Instant::now();
    let slow = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n[").await;
    let drip = async {
        while peer.flood(b"1,", 2).await == 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let ((code, detail), ()) = tokio::join!(refusal(slow), drip);
    assert_eq!((code, &*detail), (ErrorCode::Timeout, "shop did not answer in time. It may have carried the call out."));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(refusal(call(&services)).await.0, ErrorCode::ServiceUnavailable, "the breaker is open");
}

#[tokio::test]
async fn the_request_of_a_caller_that_leaves_is_dropped_at_once() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n[1,"] {
        let call = call(&services);
        let mut peer = target.accept().await;
        peer.request().await;
        peer.send(head).await;
        let left = Instant::now();
        call.abort();
        peer.closed().await;
        assert!(left.elapsed() < Duration::from_millis(100), "{head}: {:?}", left.elapsed());
    }
    assert_eq!((services.counters().get(Count::CallCancelled), in_flight(&services)), (2, 0));
}

// NL-8.1
#[tokio::test]
async fn calls_of_one_connection_are_sent_one_after_the_other_and_others_side_by_side() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    let alice = caller();
    let first = call_as(&services, &alice, "one");
    let mut peer = target.accept().await;
    assert_eq!(peer.request().await.json()["call"]["method"], "one");
    let second = call_as(&services, &alice, "two");
    let other = call_as(&services, &caller(), "other");
    let mut side = target.accept().await;
    assert_eq!(side.request().await.json()["call"]["method"], "other");
    assert!(target.is_untouched().await, "the second call waits");
    peer.reply("1").await;
    assert_eq!(answer(first).await, Ok(data("1").into()));
    assert_eq!(peer.request().await.json()["call"]["method"], "two");
    side.reply("3").await;
    peer.reply("2").await;
    assert_eq!((answer(second).await, answer(other).await), (Ok(data("2").into()), Ok(data("3").into())));
}

#[tokio::test]
async fn calls_and_events_above_the_limit_are_refused() {
    let target = Target::new().await;
    let toml = format!("{}max_in_flight = 1\n", urls(&[&format!("http://{}/", target.address())]));
    let services = shop_with(&toml, |config| ServiceConfig { route: Route { order: OrderedBy::Nothing, ..config.route }, ..config });
    let first = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    let (code, detail) = refusal(call(&services)).await;
    assert_eq!(code, ErrorCode::Overloaded);
    assert!(detail.contains("1 requests in flight"), "{detail}");
    assert_eq!(services.event("shop", Data::null(), &caller()).await.expect_err("full").code, ErrorCode::Overloaded);
    peer.reply("1").await;
    answer(first).await.expect("a reply");
    assert_eq!(services.counters().get(Count::EventRefused), 1);
}

#[tokio::test]
async fn a_denied_address_gets_no_connection_whatever_its_name_is() {
    let target = Target::new().await;
    let port = target.address().rsplit_once(':').expect("a port").1.to_owned();
    let services = shop(&format!("{}[webhook]\ndeny = [\"private\"]\n", urls(&[&format!("http://localhost:{port}/")])));
    assert_eq!(refusal(call(&services)).await.0, ErrorCode::ServiceUnavailable);
    assert!(target.is_untouched().await);
    let services = shop(&urls(&[&format!("http://localhost:{port}/")]));
    let allowed = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.reply("1").await;
    assert_eq!(answer(allowed).await, Ok(data("1").into()));
}

#[tokio::test]
async fn a_method_that_would_change_the_path_is_refused() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/rpc/{{method}}", target.address())]));
    assert_eq!(refusal(call_as(&services, &caller(), "..")).await.0, ErrorCode::BadRequest);
    assert!(target.is_untouched().await && in_flight(&services) == 0);
}

#[tokio::test]
async fn an_event_is_sent_once_and_counted_as_lost_if_it_is_not_taken() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/{{method}}", target.address())]));
    let caller = caller();
    for (status, lost) in [("202 Accepted", 0), ("500 Internal Server Error", 1)] {
        services.event("shop", data("[7]"), &caller).await.expect("room");
        let mut peer = target.accept().await;
        let request = peer.request().await;
        let connection = caller.connection.to_string();
        let event =
            json!({ "id": request.headers["webhook-id"], "kind": "message", "data": [7], "user": "alice", "connection": connection });
        assert_eq!((&*request.line, request.json()), ("POST /message", json!({ "event": event })));
        assert_eq!(request.headers["traceparent"], TRACE);
        peer.send(format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")).await;
        soon("the event", async {
            while in_flight(&services) > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        soon("the count", async {
            while services.counters().get(Count::EventLost) < lost {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(services.counters().get(Count::EventLost), lost, "{status}");
    }
    assert_eq!(services.counters().get(Count::EventSent), 2);
}

#[tokio::test]
async fn a_node_that_stops_waits_briefly_for_events() {
    let target = Target::new().await;
    let services = shop(&urls(&[&format!("http://{}/", target.address())]));
    for _ in 0..2 {
        services.event("shop", Data::null(), &caller()).await.expect("room");
    }
    let (mut taken, mut stuck) = (target.accept().await, target.accept().await);
    taken.request().await;
    stuck.request().await;
    let close = services.close();
    let (taken, ()) = tokio::join!(
        async move {
            taken.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            taken
        },
        close
    );
    drop(taken);
    stuck.closed().await;
    assert_eq!((services.counters().get(Count::EventLost), in_flight(&services)), (1, 0));
}

#[tokio::test]
async fn a_task_that_panics_leaves_no_request_in_flight() {
    let settings =
        Settings::from_toml(&format!("[services.shop]\nreach = \"webhook\"\n{}", urls(&["http://127.0.0.1:1/"]))).expect("valid");
    let config = WebhookConfig::new("shop", &settings, &settings.services["shop"]).expect("valid");
    let node_end = NodeEnd { closing: CancellationToken::new(), close_timeout: Duration::ZERO, tasks: TaskTracker::new() };
    let webhook = Webhook::new("shop".parse().expect("valid"), Arc::new(config), Arc::default(), node_end);
    let (request, _) = webhook.targets().begin(Choice::LessBusy, webhook.now()).expect("room");
    let place = Place { webhook: Arc::clone(&webhook), request };
    assert_eq!(webhook.summary()[0].in_flight, 1);
    let task = tokio::spawn(async move {
        let _place = place;
        panic!("as a defect would");
    });
    assert!(task.await.is_err_and(|error| error.is_panic()));
    assert_eq!(webhook.summary()[0].in_flight, 0);
}

#[tokio::test]
async fn tls_trusts_the_authority_of_the_settings_and_shows_the_gateways_certificate() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (server, client) = (ours.sign(&["127.0.0.1"]), ours.sign(&["gateway"]));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&server.authority).expect("a certificate")).expect("valid");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().expect("a verifier");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&server.certificate).expect("a certificate")],
            PrivateKeyDer::from_pem_file(&server.key).expect("a key"),
        )
        .expect("they fit");
    let target = Target::with_tls(config).await;
    let toml = |authority: &str| {
        let files = format!("cert_file = {:?}\nkey_file = {:?}\nca_file = {authority:?}\n", client.certificate, client.key);
        format!("{}{files}", urls(&[&format!("https://{}/", target.address())]))
    };
    let services = shop(&toml(&ours.file()));
    let trusted = call(&services);
    let mut peer = target.accept().await;
    peer.request().await;
    peer.reply("1").await;
    assert_eq!(answer(trusted).await, Ok(data("1").into()));
    let untrusting = Target::new().await;
    let services = shop(&format!("{}ca_file = {:?}\n", urls(&[&format!("https://{}/", untrusting.address())]), others.file()));
    let plain = call(&services);
    for _ in 0..3 {
        drop(untrusting.accept().await);
    }
    assert_eq!(refusal(plain).await.0, ErrorCode::ServiceUnavailable, "without TLS no request is sent");
}
