//! The real process, killed and restarted, against a fake gateway that answers late, with errors, or not at all.

mod fake_gateway;

use fake_gateway::FakeGateway;
use serde_json::{Value, json};
use shared_proto::http::testing::free_address;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Time limit of every wait.
const TIMEOUT: Duration = Duration::from_secs(30);

struct Notifier {
    process: Child,
    url: String,
    client: reqwest::Client,
}

impl Notifier {
    /// Starts the process and waits until it answers requests.
    async fn start(outbox: &Path, address: SocketAddr, gateway: &str) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_notifier-backend"))
            .env("NOTIFIER__HTTP__ADDRESS", address.to_string())
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
        let notifier = Self { process, url: format!("http://{address}"), client: reqwest::Client::new() };
        let began = Instant::now();
        while notifier.get("/livez").await.is_none() {
            assert!(began.elapsed() < TIMEOUT, "the notifier does not answer");
            sleep(Duration::from_millis(5)).await;
        }
        notifier
    }

    async fn get(&self, path: &str) -> Option<Value> {
        self.client.get(format!("{}{path}", self.url)).send().await.ok()?.json().await.ok()
    }

    /// Sends a notification. Returns its id, or `None` if no answer arrived.
    async fn notify(&self, body: Value) -> Option<String> {
        let request = self.client.post(format!("{}/v1/notifications", self.url));
        let response = request.header("content-type", "application/json").body(body.to_string()).send().await.ok()?;
        assert_eq!(response.status(), 202);
        let answer: Value = response.json().await.ok()?;
        Some(answer["id"].as_str()?.to_owned())
    }

    /// Sends SIGKILL and waits for the end of the process.
    async fn kill(mut self) {
        self.process.kill().await.expect("killed");
    }

    async fn wait_until_all_are_final(&self) {
        let began = Instant::now();
        loop {
            let page = self.get("/v1/notifications?state=pending&limit=1").await.expect("a page");
            if page["notifications"] == json!([]) {
                return;
            }
            assert!(began.elapsed() < TIMEOUT, "still pending: {page}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[actix_web::test]
async fn nothing_is_lost_or_duplicated_when_the_process_is_killed_a_hundred_times() {
    let directory = tempfile::tempdir().expect("a directory");
    let (outbox, address) = (directory.path().join("outbox.db"), free_address());
    let gateway = FakeGateway::start(free_address());
    gateway.inject_faults(true);
    let mut accepted = Vec::new();
    for round in 0..100u64 {
        let notifier = Notifier::start(&outbox, address, &gateway.url()).await;
        for n in 0..3 {
            let body = json!({"users": ["alice", format!("user{round}")], "title": format!("{round}.{n}")});
            accepted.push(notifier.notify(body).await.expect("accepted"));
        }
        // The pause varies, so that some kills come before a delivery, some during one, and some after it.
        sleep(Duration::from_millis(round * 7 % 23)).await;
        notifier.kill().await;
    }
    gateway.inject_faults(false);
    let notifier = Notifier::start(&outbox, address, &gateway.url()).await;
    notifier.wait_until_all_are_final().await;

    let publications = gateway.publications();
    let seen: HashSet<(&str, &str)> =
        publications.iter().map(|publication| (publication.target.as_str(), publication.id.as_str())).collect();
    assert_eq!(seen.len(), publications.len(), "a publication was stored twice");
    assert_eq!(seen.len(), accepted.len() * 2, "a notification was lost");
    let alice: Vec<&str> =
        publications.iter().filter(|publication| publication.target == "alice").map(|publication| publication.id.as_str()).collect();
    assert_eq!(alice, accepted.iter().map(String::as_str).collect::<Vec<_>>(), "notifications arrive in the order of their acceptance");
    assert!(gateway.repeats() > 0, "no kill happened between a delivery and its record, so this run proves nothing");
    let failed = notifier.get("/v1/notifications?state=failed").await.expect("a page");
    assert_eq!(failed["notifications"], json!([]));
    notifier.kill().await;
}

#[actix_web::test]
async fn notifications_accepted_without_a_gateway_are_delivered_later_and_repeats_have_the_same_id() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway_address = free_address();
    let notifier = Notifier::start(&directory.path().join("outbox.db"), free_address(), &format!("http://{gateway_address}")).await;
    let first = notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    let second = notifier.notify(json!({"channel": "news:world", "title": "2"})).await.expect("accepted");
    let view = notifier.get(&format!("/v1/notifications/{first}")).await.expect("a view");
    assert_eq!(view["targets"][0]["state"], "pending");
    let gateway = FakeGateway::start(gateway_address);
    // The gateway stores the first publication, its answer is lost, and the gateway forgets its keys.
    gateway.lose_next_answer_and_keys();
    notifier.wait_until_all_are_final().await;
    let mut ids: Vec<String> = gateway.publications().into_iter().map(|publication| publication.id).collect();
    assert_eq!(ids.len(), 3, "one notification is stored twice, because the gateway forgot its key");
    ids.sort_unstable();
    ids.dedup();
    let mut expected = vec![first, second];
    expected.sort_unstable();
    assert_eq!(ids, expected, "the repeated notification has the same id");
    notifier.kill().await;
}

#[actix_web::test]
async fn a_404_that_is_not_from_the_gateway_is_not_final() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway = FakeGateway::start(free_address());
    gateway.answer_not_found(true);
    let notifier = Notifier::start(&directory.path().join("outbox.db"), free_address(), &gateway.url()).await;
    let id = notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    let began = Instant::now();
    while gateway.requests() < 3 {
        assert!(began.elapsed() < TIMEOUT, "the delivery is not retried");
        sleep(Duration::from_millis(5)).await;
    }
    gateway.answer_not_found(false);
    notifier.wait_until_all_are_final().await;
    assert_eq!(gateway.publications().len(), 1);
    let view = notifier.get(&format!("/v1/notifications/{id}")).await.expect("a view");
    assert_eq!(view["targets"][0]["state"], "delivered");
    notifier.kill().await;
}

#[actix_web::test]
async fn a_delivery_to_a_path_that_the_gateway_does_not_have_is_final() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway = FakeGateway::start(free_address());
    gateway.remove_paths();
    let notifier = Notifier::start(&directory.path().join("outbox.db"), free_address(), &gateway.url()).await;
    let id = notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    notifier.wait_until_all_are_final().await;
    let view = notifier.get(&format!("/v1/notifications/{id}")).await.expect("a view");
    assert_eq!((&view["targets"][0]["state"], gateway.requests()), (&json!("failed"), 1));
    notifier.kill().await;
}

#[actix_web::test]
async fn lost_histories_are_delivered_again_with_the_same_id() {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = directory.path().join("outbox.db");
    let gateway = FakeGateway::start(free_address());
    let notifier = Notifier::start(&outbox, free_address(), &gateway.url()).await;
    let id = notifier.notify(json!({"users": ["alice", "bob"], "title": "1"})).await.expect("accepted");
    notifier.notify(json!({"channel": "news:world", "title": "2"})).await.expect("accepted");
    notifier.wait_until_all_are_final().await;
    let wait_for_repeats = async |times: usize| {
        let began = Instant::now();
        while gateway.publications().iter().filter(|publication| publication.id == id).count() < 2 * times {
            assert!(began.elapsed() < TIMEOUT, "the lost deliveries are not repeated");
            sleep(Duration::from_millis(20)).await;
        }
    };
    gateway.restart_empty();
    wait_for_repeats(2).await;
    notifier.wait_until_all_are_final().await;
    // The gateway may also be killed while no notifier runs.
    notifier.kill().await;
    gateway.restart_empty();
    let notifier = Notifier::start(&outbox, free_address(), &gateway.url()).await;
    wait_for_repeats(3).await;
    notifier.wait_until_all_are_final().await;
    assert_eq!(gateway.publications().len(), 3 * 2 + 1, "user deliveries once per start of the gateway, the channel delivery only once");
    notifier.kill().await;
}

#[actix_web::test]
async fn sigterm_stops_the_notifier_and_invalid_settings_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let gateway = FakeGateway::start(free_address());
    let mut notifier = Notifier::start(&directory.path().join("outbox.db"), free_address(), &gateway.url()).await;
    notifier.notify(json!({"user": "alice", "title": "1"})).await.expect("accepted");
    let id = notifier.process.id().expect("running").to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.expect("run").success());
    let status = timeout(TIMEOUT, notifier.process.wait()).await.expect("in time").expect("waited");
    assert_eq!(status.code(), Some(0));

    let mut bad = Command::new(env!("CARGO_BIN_EXE_notifier-backend"));
    let output = bad.env("NOTIFIER__DELIVERY__CONCURRENCY", "0").output().await.expect("run");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("delivery.concurrency"));
}
