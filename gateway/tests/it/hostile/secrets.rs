//! What the gateway must tell nobody: keys and tokens are in no log, answer, metric or trace, and in no core dump.

use super::support::{command, enter, upgraded};
use crate::{
    client::{Client, handshake, masked},
    listeners::Gateway,
    public::ask,
    store_errors::{start_redis, until},
};
use redis_testing::Login;
use serde_json::json;
use shared_proto::http::testing::free_address;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// What each secret contains.
const MARK: &str = "s3cr3t";

/// Takes all requests of exporters of telemetry, and answers them.
fn collector() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (address, all) = (listener.local_addr().expect("bound"), Arc::<Mutex<Vec<u8>>>::default());
    let received = all.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let received = received.clone();
            thread::spawn(move || {
                let (mut chunk, mut request) = (vec![0; 64 << 10], Vec::new());
                while let Ok(count @ 1..) = stream.read(&mut chunk) {
                    received.lock().expect("whole").extend_from_slice(&chunk[..count]);
                    request.extend_from_slice(&chunk[..count]);
                    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
                    if request.len() >= end + 4 + length {
                        request.clear();
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
                    }
                }
            });
        }
    });
    (address, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_are_in_no_log_answer_metric_or_trace() {
    let redis = start_redis().await;
    let login = Login::new("gateway", &format!("{MARK}-redis"));
    redis.set_user(&login, &["~*", "&*", "+@all"]).await;
    let (collector, traces) = collector();
    let gateway = Gateway::start(&[
        "telemetry.log_filter=trace",
        "telemetry.sample_ratio=1",
        &format!("telemetry.otlp_endpoint=http://{collector}"),
        "broker.kind=redis",
        &format!("redis.url=redis://{}{}", login.of_url(), redis.address()),
        &format!("tokens.hmac_secret={MARK}-hmac-of-enough-bytes-for-its-hash"),
        &format!("api_keys=dev=dev,orders={MARK}-key publish"),
        "services.hook.reach=webhook",
        &format!("services.hook.urls=http://{}/hook", free_address()),
        &format!("services.hook.headers.x-hook={MARK}-header"),
        &format!("services.hook.secrets=whsec_{MARK}{}", "A".repeat(26)),
    ]);
    until("the node is ready", || ask(gateway.internal, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 "));
    let mut answers = String::new();
    let mut keep = |text: &str| {
        answers.push_str(text);
        answers.push('\n');
    };

    // Keys: a good one, a wrong one, and one in the wrong place.
    let body = r#"{"data":"marker-of-a-publication"}"#;
    for lines in [
        format!("Authorization: Bearer {MARK}-key\r\n"),
        format!("Authorization: Bearer {MARK}-wrong\r\n"),
        format!("Authorization: Basic {MARK}\r\n"),
        format!("X-Api-Key: {MARK}\r\n"),
    ] {
        let lines = format!("{lines}Content-Type: application/json\r\n");
        let (head, body) = ask(gateway.internal, "POST", "/v1/channels/news:marker/publications", &lines, body);
        keep(&(head + &body));
    }
    let (head, body) = ask(gateway.internal, "GET", &format!("/v1/nodes?api_key={MARK}-query"), "Authorization: Bearer dev\r\n", "");
    keep(&(head + &body));

    // Tokens: in each place that a protocol has for them, well formed and not.
    let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImluZm8iOiJ{MARK}9.{MARK}signature");
    keep(&format!("{:?}", enter(gateway.public, &token).1));
    let (mut client, _) = enter(gateway.public, "");
    for request in [
        json!({"id": 2, "subscribe": {"channel": "news:marker", "token": token}}),
        json!({"id": 3, "subscribe": {"channel": "secret:marker", "token": token}}),
        json!({"id": 4, "refresh": {"token": token}}),
    ] {
        match command(&mut client, &request) {
            Ok(answer) => keep(&answer.to_string()),
            Err(code) => keep(&code.to_string()),
        }
    }
    for (path, lines) in [
        (format!("/events?channel=news:marker&token={token}"), String::new()),
        ("/events?channel=news:marker".to_owned(), format!("Authorization: Bearer {token}\r\n")),
        ("/events?channel=news:marker".to_owned(), format!("Cookie: token={token}; session={MARK}\r\n")),
        (format!("/connection/http_stream?cf_connect=%7B%22token%22%3A%22{token}%22%7D"), String::new()),
        (format!("/connection/sse?cf_connect=%7B%22connect%22%3A%7B%22token%22%3A%22{token}%22%7D%2C%22id%22%3A1%7D"), String::new()),
        (format!("/nowhere/{token}"), String::new()),
    ] {
        let mut client = Client::connect(gateway.public);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{lines}Connection: close\r\n\r\n", gateway.public).as_bytes());
        keep(&client.head());
    }
    let mut stomp = Client::connect(gateway.public);
    stomp.send(handshake(&format!("/stomp?token={token}")).as_bytes());
    keep(&stomp.head());
    stomp.send(&masked(0x81, format!("CONNECT\naccept-version:1.2\nhost:a\nlogin:alice\npasscode:{token}\n\n\0").as_bytes()));
    keep(&format!("{:?}", stomp.frame()));
    // A message that is no command may contain a secret as well.
    let mut broken = upgraded(gateway.public);
    broken.send(&masked(0x81, format!("{{\"id\":1,\"connect\":{{\"token\":\"{MARK}\", nonsense").as_bytes()));
    keep(&format!("{:?}", broken.frame()));

    let (_, metrics) = ask(gateway.internal, "GET", "/metrics", "", "");
    keep(&metrics);
    // The names of what happened are there, so the log was collected, at all levels.
    gateway.terminate();
    let log = gateway.wait_for_log(|log| log.contains("drained"));
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "the log has all levels");
    assert!(metrics.contains("switchboard_"), "{metrics}");
    until("traces arrive", || String::from_utf8_lossy(&traces.lock().expect("whole")).contains("publish"));
    let traces = String::from_utf8_lossy(&traces.lock().expect("whole")).into_owned();
    for (what, text) in [("the log", &log), ("the answers", &answers), ("the traces", &traces)] {
        let lines: Vec<_> =
            text.lines().filter(|line| line.contains(MARK)).map(|line| line.chars().take(300).collect::<String>()).collect();
        assert!(lines.is_empty(), "{what}: {lines:#?}");
    }
}

#[test]
fn no_text_of_a_client_begins_a_line_of_the_log_or_moves_the_cursor() {
    let gateway = Gateway::start(&["telemetry.log_filter=trace"]);
    let forged = "x\u{1b}[2K\r\n2026-01-01T00:00:00Z  INFO forged\u{7}\u{85}\u{2028}";
    let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";
    let path = "/v1/users/alice%0A%1B%5B2Jforged/connections";
    ask(gateway.internal, "DELETE", path, lines, &json!({"code": 3000, "reason": forged}).to_string());
    ask(gateway.internal, "POST", "/v1/channels/news:a/publications", lines, &json!({"data": 1, forged: 2}).to_string());
    ask(gateway.public, "GET", "/%0Aforged%1B", "Origin: http://a%0Aforged\r\n", "");
    let (mut client, _) = enter(gateway.public, "");
    for request in [
        json!({"id": 2, "subscribe": {"channel": forged}}),
        json!({"id": 3, "rpc": {"method": format!("chatbot.{forged}"), "data": {}}}),
        json!({"id": 4, "publish": {"channel": forged, "data": 1}}),
    ] {
        // An answer, or a close: both are right.
        let _ = command(&mut client, &request);
    }
    gateway.terminate();
    let log = gateway.wait_for_log(|log| log.contains("drained"));
    let bad: Vec<_> = log
        .lines()
        .filter(|line| line.chars().any(|it| it.is_control() && it != '\t') || line.starts_with("2026-01-01") || line.starts_with("forged"))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn a_gateway_that_crashes_leaves_no_core_dump() {
    let folder = tempfile::tempdir().expect("a folder");
    let (public, internal) = (free_address(), free_address());
    let program = env!("CARGO_BIN_EXE_gateway");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config/dev.toml");
    let addresses = format!("--set public.address={public} --set internal.address={internal}");
    let mut gateway = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -c unlimited 2>/dev/null || ulimit -c \"$(ulimit -Hc)\"; exec '{program}' --config '{config}' {addresses}"),
        ])
        .current_dir(&folder)
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    until("the start", || TcpStream::connect(internal).is_ok());
    let id = gateway.id().try_into().ok().and_then(rustix::process::Pid::from_raw).expect("it runs");
    rustix::process::kill_process(id, rustix::process::Signal::ABORT).expect("it takes signals");
    let status = gateway.wait().expect("ours");
    assert_eq!(status.signal(), Some(rustix::process::Signal::ABORT.as_raw()));
    assert!(!status.core_dumped(), "{status:?}");
    assert_eq!(folder.path().read_dir().expect("there").count(), 0, "nothing is left behind");
}
