//! Tests of the REST client with a server that has a fixed response.

use super::*;
use crate::{
    client::{Failure, TlsFiles},
    producer::Producer,
    rest::{BroadcastRequest, PositionBody, PublishItem, PublishRequest, SpanBody},
};
use serde_json::value::to_raw_value;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Starts a server that answers one request with `response`. Returns its URL, and the request.
async fn server(response: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !complete(&request) {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.expect("readable");
            assert!(read > 0, "the request was cut off");
            request.extend_from_slice(&chunk[..read]);
        }
        stream.write_all(response.as_bytes()).await.expect("writable");
        String::from_utf8(request).expect("text")
    });
    (url, request)
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap_or(0);
    body.len() >= length
}

fn gateway(urls: &[&str]) -> Gateway {
    let timeout = Duration::from_secs(5);
    let urls = urls.iter().map(|&url| url.to_owned()).collect();
    Gateway::new(&Config { urls, api_key: "key".into(), connect_timeout: timeout, timeout, tls: TlsFiles::default() })
        .expect("the settings are right")
}

fn body() -> PublishRequest {
    PublishRequest { data: Some(to_raw_value(&1).expect("JSON")), ..PublishRequest::default() }
}

/// The URL of an address at which no server listens.
async fn unreachable_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    format!("http://{}", listener.local_addr().expect("bound"))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\nconnection: close\r\n\r\n{\"epoch\":\"e\",\"offset\":7}";

#[tokio::test]
async fn a_publish_request_has_key_trace_and_an_encoded_channel() {
    let (url, request) = server(OK).await;
    let how = Publishing { idempotency_key: Some("k"), traceparent: Some("00-1-2-01") };
    let position = gateway(&[&url]).publish("chat:a/b ü", &body(), &how).await.expect("published");
    assert_eq!(position, PositionBody { epoch: "e".into(), offset: 7 });
    let request = request.await.expect("no panic");
    assert!(request.starts_with("POST /v1/channels/chat:a%2Fb%20%C3%BC/publications HTTP/1.1\r\n"), "{request}");
    for line in ["authorization: Bearer key", "idempotency-key: k", "traceparent: 00-1-2-01"] {
        assert!(request.contains(line), "{line} in {request}");
    }
}

/// A response with this status and a JSON body.
fn json_response(status: &str, body: &str) -> &'static str {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).leak()
}

fn producer(seq: u64) -> Producer {
    Producer { id: "orders-1".into(), epoch: 3, seq }
}

#[tokio::test]
async fn a_gap_in_the_numbers_of_a_producer_names_the_missing_number() {
    let problem = r#"{"type":"about:blank","title":"","status":409,"code":"sequence_gap","retryable":false,"detail":"d","expected":5}"#;
    let (url, request) = server(json_response("409 Conflict", problem)).await;
    let numbered = PublishRequest { producer: Some(producer(7)), ..body() };
    let failure = gateway(&[&url]).publish("news:a", &numbered, &Publishing::default()).await.expect_err("a gap");
    assert!(matches!(failure, Failure::Refused { expected: Some(5), .. }), "{failure:?}");
    let request = request.await.expect("no panic");
    assert!(request.contains(r#""producer":{"id":"orders-1","epoch":3,"seq":7}"#), "{request}");
}

#[tokio::test]
async fn publications_that_belong_together_get_one_span() {
    let (url, request) = server(json_response("200 OK", r#"{"epoch":"e","first":4,"last":5}"#)).await;
    let item = |n: u32| PublishItem { data: to_raw_value(&n).ok(), ..PublishItem::default() };
    let gateway = gateway(&[&url]);
    let span = gateway.publish_together("news:a", vec![item(1), item(2)], Some(producer(0)), &Publishing::default()).await.expect("stored");
    assert_eq!(span, SpanBody { epoch: "e".into(), first: 4, last: 5 });
    let request = request.await.expect("no panic");
    assert!(request.starts_with("POST /v1/channels/news:a/publications HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(r#""producer":{"id":"orders-1","epoch":3,"seq":0},"publications":[{"data":1},{"data":2}]"#), "{request}");
    // The answer to such a body is no position, so the publish would seem to have failed although it succeeded.
    let several = PublishRequest { publications: Some(vec![item(1), item(2)]), ..PublishRequest::default() };
    for result in
        [gateway.publish("news:a", &several, &Publishing::default()).await, gateway.message("a", &several, &Publishing::default()).await]
    {
        assert!(matches!(result, Err(Failure::Refused { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn a_broadcast_has_a_result_for_each_channel() {
    let results = r#"{"results":[{"position":{"epoch":"e","offset":1},"replayed":true},{"error":{"type":"about:blank","title":"","status":404,"code":"unknown_channel","retryable":false,"detail":"d"}}]}"#;
    let (url, request) = server(json_response("200 OK", results)).await;
    let channels = Some(vec!["news:a".into(), "nowhere:b".into()]);
    let broadcast = BroadcastRequest { data: to_raw_value(&1).ok(), channels, ..BroadcastRequest::default() };
    let body = gateway(&[&url]).broadcast(&broadcast, &Publishing::keyed("k")).await.expect("answered");
    let [first, second] = body.results.as_slice() else { panic!("two results: {body:?}") };
    assert_eq!((first.position.as_ref().map(|at| at.offset), first.replayed), (Some(1), true));
    assert_eq!(second.error.as_ref().map(|problem| problem.code.as_str()), Some("unknown_channel"));
    let request = request.await.expect("no panic");
    assert!(request.starts_with("POST /v1/broadcasts HTTP/1.1\r\n") && request.contains("idempotency-key: k"), "{request}");
    assert!(request.contains(r#""channels":["news:a","nowhere:b"]"#), "{request}");
}

#[tokio::test]
async fn no_segment_of_a_path_is_lost() {
    for user in ["%2e%2e", "...", "a/../b", ".a"] {
        let (url, request) = server(OK).await;
        gateway(&[&url]).message(user, &body(), &Publishing::default()).await.expect("published");
        let request = request.await.expect("no panic");
        let user = user.replace('%', "%25").replace('/', "%2F");
        assert!(request.starts_with(&format!("POST /v1/users/{user}/messages HTTP/1.1\r\n")), "{request}");
    }
    // A URL's path cannot contain these names: the request would go to another path.
    let gateway = gateway(&["http://127.0.0.1:1"]);
    for name in ["", ".", "..", "a\tb", "a\nb"] {
        let results = [
            gateway.publish(name, &body(), &Publishing::default()).await.map(drop),
            gateway.message(name, &body(), &Publishing::default()).await.map(drop),
            gateway.history(name, &HistoryQuery::default()).await.map(drop),
            gateway.presence(name).await.map(drop),
            gateway.channel(name).await.map(drop),
        ];
        for result in results {
            assert!(matches!(result, Err(Failure::Refused { ref code, .. }) if code == "bad_request"), "{name:?}: {result:?}");
        }
    }
}

#[tokio::test]
async fn later_requests_skip_an_unreachable_node() {
    let (first, request) = server(OK).await;
    let down = unreachable_url().await;
    let gateway = gateway(&[&down, &first]);
    gateway.message("alice", &body(), &Publishing::default()).await.expect("the second node answers");
    request.await.expect("no panic");
    assert_eq!(gateway.preferred.load(Ordering::Relaxed), 1);
    let failure = gateway.message("alice", &body(), &Publishing::default()).await.expect_err("both nodes are unreachable");
    assert!(matches!(failure, Failure::NotDone { .. }), "{failure}");
}

#[tokio::test]
async fn later_requests_prefer_a_node_other_than_the_one_that_did_not_answer() {
    let (mute, asked) = server("").await;
    let (working, _request) = server(OK).await;
    let gateway = gateway(&[&mute, &working]);
    let failure = gateway.message("alice", &body(), &Publishing::keyed("k")).await.expect_err("no answer");
    assert!(matches!(failure, Failure::Unknown { .. }), "{failure}");
    asked.await.expect("no panic");
    gateway.message("alice", &body(), &Publishing::keyed("k")).await.expect("the second node answers");
    assert_eq!(gateway.preferred.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn failures_are_classified_by_whether_the_request_may_be_carried_out() {
    let problem = |status: &str, code: &str| {
        let body = format!(r#"{{"type":"about:blank","title":"","status":1,"code":"{code}","retryable":true,"detail":"d"}}"#);
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nretry-after: 3\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let table = [
        (problem("503 x", "unavailable"), "not done"),
        (problem("504 x", "outcome_unknown"), "unknown"),
        (problem("422 x", "idempotency_mismatch"), "refused"),
        (empty("429 x"), "not done"),
        (empty("502 x"), "unknown"),
        (empty("404 x"), "unknown"),
        (empty("302 x"), "unknown"),
        (empty("200 OK"), "unknown"),
        (String::new(), "unknown"),
    ];
    for (response, expected) in table {
        let (url, _request) = server(Box::leak(response.clone().into_boxed_str())).await;
        let failure = gateway(&[&url]).publish("news:a", &body(), &Publishing::default()).await.expect_err("not a success");
        let class = match &failure {
            Failure::NotDone { retry_after, .. } => {
                assert_eq!(*retry_after, response.contains("retry-after").then_some(Duration::from_secs(3)));
                "not done"
            }
            Failure::Unknown { .. } => "unknown",
            Failure::Refused { .. } => "refused",
        };
        assert_eq!(class, expected, "{response}");
    }
}

#[tokio::test]
async fn a_read_without_an_answer_can_be_repeated() {
    let (url, _request) = server("").await;
    let failure = gateway(&[&url]).history("chat:a", &HistoryQuery::newest(5)).await.expect_err("cut off");
    assert!(matches!(failure, Failure::NotDone { .. }));
}

#[test]
fn invalid_settings_are_refused() {
    let timeout = Duration::from_secs(1);
    for (urls, key) in [(vec![], "k"), (vec!["nonsense"], "k"), (vec!["ftp://host"], "k"), (vec!["http://host"], "line\nbreak")] {
        let urls = urls.into_iter().map(str::to_owned).collect();
        let config = Config { urls, api_key: key.into(), connect_timeout: timeout, timeout, tls: TlsFiles::default() };
        assert!(Gateway::new(&config).is_err(), "{config:?}");
    }
    let tls = TlsFiles { ca_file: "/none".into(), ..TlsFiles::default() };
    let config = Config { urls: vec!["https://host".into()], api_key: "k".into(), connect_timeout: timeout, timeout, tls };
    let error = Gateway::new(&config).expect_err("no such file");
    assert!(error.key() == "gateway.ca_file" && error.to_string().starts_with("/none cannot be read"), "{error}");
}
