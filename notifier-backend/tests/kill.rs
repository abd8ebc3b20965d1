//! The real process, killed and started again, against a gateway that answers late, never, or not at all.

mod fake;

use fake::FakeGateway;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);

struct Notifier {
    process: Child,
    url: String,
    client: reqwest::Client,
}

impl Notifier {
    /// Starts the process and waits until it takes requests.
    async fn start(outbox: &Path, port: u16, gateway: &str) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_notifier-backend"))
            .env("NOTIFIER__HTTP__ADDRESS", format!("127.0.0.1:{port}"))
            .env("NOTIFIER__GATEWAY__URLS", gateway)
            .env("NOTIFIER__GATEWAY__TIMEOUT_MS", "300")
            .env("NOTIFIER__OUTBOX__PATH", outbox)
            .env("NOTIFIER__DELIVERY__BACKOFF_FIRST_MS", "5")
            .env("NOTIFIER__DELIVERY__BACKOFF_LONGEST_MS", "100")
            .env("NOTIFIER__DELIVERY__BREAKER_PAUSE_MS", "20")
            .env("NOTIFIER__TELEMETRY__LOG", "error")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        let notifier = Self { process, url: format!("http://127.0.0.1:{port}"), client: reqwest::Client::new() };
        let began = Instant::now();
        while notifier.get("/livez").await.is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not answer");
            sleep(Duration::from_millis(5)).await;
        }
        notifier
    }

    async fn get(&self, path: &str) -> Option<Value> {
        self.client.get(format!("{}{path}", self.url)).send().await.ok()?.json().await.ok()
    }

    /// The id, where the process lived long enough to answer 202.
    async fn notify(&self, body: Value) -> Option<String> {
        let request = self.client.post(format!("{}/v1/notifications", self.url));
        let response = request.header("content-type", "application/json").body(body.to_string()).send().await.ok()?;
        assert_eq!(response.status(), 202);
        let answer: Value = response.json().await.ok()?;
        Some(answer["id"].as_str()?.to_owned())
    }

    /// SIGKILL.
    async fn kill(mut self) {
        self.process.kill().await.expect("killed");
    }

    async fn until_nothing_is_pending(&self) {
        let began = Instant::now();
        loop {
            let page = self.get("/v1/notifications?state=pending&limit=1").await.expect("a page");
            if page["notifications"] == json!([]) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "still pending: {page}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

#[actix_web::test]
async fn killed_a_hundred_times_between_accept_and_delivery_nothing_is_lost_and_nothing_comes_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let (outbox, port) = (directory.path().join("outbox.db"), free_port());
    let gateway = FakeGateway::start(0);
    gateway.misbehave(true);
    let mut accepted = Vec::new();
    for round in 0..100u64 {
        let notifier = Notifier::start(&outbox, port, &gateway.url()).await;
        for n in 0..3 {
            let body = json!({"users": ["alice", format!("user{round}")], "title": format!("{round}.{n}")});
            accepted.push(notifier.notify(body).await.expect("accepted"));
        }
        // Spread over the time that deliveries take, so that the kill hits before, within and behind them.
        sleep(Duration::from_millis(round * 7 % 23)).await;
        notifier.kill().await;
    }
    gateway.misbehave(false);
    let notifier = Notifier::start(&outbox, port, &gateway.url()).await;
    notifier.until_nothing_is_pending().await;

    let applied = gateway.applied();
    let seen: HashSet<(&str, &str)> = applied.iter().map(|one| (one.target.as_str(), one.id.as_str())).collect();
    assert_eq!(seen.len(), applied.len(), "something came twice");
    assert_eq!(seen.len(), accepted.len() * 2, "something was lost");
    let alice: Vec<&str> = applied.iter().filter(|one| one.target == "alice").map(|one| one.id.as_str()).collect();
    assert_eq!(alice, accepted.iter().map(String::as_str).collect::<Vec<_>>(), "in the order of their acceptance");
    assert!(gateway.repeats() > 0, "no kill fell between delivery and its record: this proved nothing");
    let failed = notifier.get("/v1/notifications?state=failed").await.expect("a page");
    assert_eq!(failed["notifications"], json!([]));
    notifier.kill().await;
}

#[actix_web::test]
async fn what_is_accepted_while_the_gateway_is_away_is_delivered_later_and_repeats_carry_the_same_id() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway_port = free_port();
    let notifier = Notifier::start(&directory.path().join("outbox.db"), free_port(), &format!("http://127.0.0.1:{gateway_port}")).await;
    let first = notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    let second = notifier.notify(json!({"channel": "news:world", "title": "2"})).await.expect("accepted");
    let view = notifier.get(&format!("/v1/notifications/{first}")).await.expect("a view");
    assert_eq!(view["targets"][0]["state"], "pending");
    let gateway = FakeGateway::start(gateway_port);
    // The first answer is lost although the gateway applied it, and then the gateway forgets its keys.
    gateway.lose_next_answer_and_forget();
    notifier.until_nothing_is_pending().await;
    let mut ids: Vec<String> = gateway.applied().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 3, "one came twice, since the gateway forgot its key");
    ids.sort_unstable();
    ids.dedup();
    let mut expected = vec![first, second];
    expected.sort_unstable();
    assert_eq!(ids, expected, "under the same id");
    notifier.kill().await;
}

#[actix_web::test]
async fn a_stranger_under_the_gateways_address_has_not_the_last_word() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway = FakeGateway::start(0);
    gateway.is_elsewhere(true);
    let notifier = Notifier::start(&directory.path().join("outbox.db"), free_port(), &gateway.url()).await;
    let id = notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    let began = Instant::now();
    while gateway.requests() < 3 {
        assert!(began.elapsed() < PATIENCE, "it is not tried again");
        sleep(Duration::from_millis(5)).await;
    }
    gateway.is_elsewhere(false);
    notifier.until_nothing_is_pending().await;
    assert_eq!(gateway.applied().len(), 1);
    let view = notifier.get(&format!("/v1/notifications/{id}")).await.expect("a view");
    assert_eq!(view["targets"][0]["state"], "delivered");
    notifier.kill().await;
}

#[actix_web::test]
async fn a_path_that_the_gateway_does_not_have_is_not_asked_for_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway = FakeGateway::start(0);
    gateway.knows_no_paths();
    let notifier = Notifier::start(&directory.path().join("outbox.db"), free_port(), &gateway.url()).await;
    let id = notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    notifier.until_nothing_is_pending().await;
    let view = notifier.get(&format!("/v1/notifications/{id}")).await.expect("a view");
    assert_eq!((&view["targets"][0]["state"], gateway.requests()), (&json!("failed"), 1));
    notifier.kill().await;
}

#[actix_web::test]
async fn what_a_gateway_had_and_lost_is_delivered_again_under_the_same_id() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = directory.path().join("outbox.db");
    let gateway = FakeGateway::start(0);
    let notifier = Notifier::start(&outbox, free_port(), &gateway.url()).await;
    let id = notifier.notify(json!({"users": ["alice", "bob"], "title": "1"})).await.expect("accepted");
    notifier.notify(json!({"channel": "news:world", "title": "2"})).await.expect("accepted");
    notifier.until_nothing_is_pending().await;
    let again = async |times: usize| {
        let began = Instant::now();
        while gateway.applied().iter().filter(|one| one.id == id).count() < 2 * times {
            assert!(began.elapsed() < PATIENCE, "it is not delivered again");
            sleep(Duration::from_millis(20)).await;
        }
    };
    gateway.begin_anew();
    again(2).await;
    notifier.until_nothing_is_pending().await;
    // Also while nobody looks.
    notifier.kill().await;
    gateway.begin_anew();
    let notifier = Notifier::start(&outbox, free_port(), &gateway.url()).await;
    again(3).await;
    notifier.until_nothing_is_pending().await;
    assert_eq!(gateway.applied().len(), 3 * 2 + 1, "each once in each life, and what was for everybody in the channel not again");
    notifier.kill().await;
}

#[actix_web::test]
async fn it_leaves_in_order_on_sigterm_and_refuses_bad_settings() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway = FakeGateway::start(0);
    let mut notifier = Notifier::start(&directory.path().join("outbox.db"), free_port(), &gateway.url()).await;
    notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    let id = notifier.process.id().expect("running").to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.expect("run").success());
    let status = timeout(PATIENCE, notifier.process.wait()).await.expect("in time").expect("waited");
    assert_eq!(status.code(), Some(0));

    let mut bad = Command::new(env!("CARGO_BIN_EXE_notifier-backend"));
    let output = bad.env("NOTIFIER__DELIVERY__CONCURRENCY", "0").output().await.expect("run");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("delivery.concurrency"));
}
