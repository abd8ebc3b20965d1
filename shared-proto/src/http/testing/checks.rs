//! Checks that every listener must pass.

use super::client::Client;
use super::process::Process;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Only a failing test waits this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Header lines in which clients and proxies offer upgrades that no listener accepts, or only at some paths.
pub const OFFERS: &[&str] = &[
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings\r\n",
    "Connection: upgrade\r\n",
    "Connection: keep-alive\r\nconnection: uPgRaDe\r\n",
    "Connection: keep-alive,Upgrade , foo\r\nUpgrade: h2c\r\n",
    "Upgrade: h2c\r\n",
    "Upgrade:\r\nConnection: upgrade\r\n",
    "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\nUpgrade: irc/6.9\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
    "Upgrade: websocket\r\n",
];

/// Checks that a listener with the default settings ignores all upgrade offers: it gives the same answer to `request` with and without them, and
/// keeps the connection open for 75 s. The request must go to a path that does not accept WebSocket.
pub fn keeps_connections(address: SocketAddr, request: &str) {
    let mut client = Client::connect(address);
    let wanted = client.request(request).status;
    for offer in OFFERS {
        for _ in 0..2 {
            let request = request.replacen("\r\n", &format!("\r\n{offer}"), 1);
            let answer = client.request(&request);
            assert_eq!(answer.status, wanted, "{request}");
            assert!(answer.head.contains("\r\nkeep-alive: timeout=75\r\n"), "{request}: {}", answer.head);
            assert!(!answer.head.contains("\r\nconnection:") && !answer.head.contains("\r\nupgrade:"), "{request}: {}", answer.head);
        }
    }
}

/// Checks a listener that is configured to close idle connections after one second. It must announce that time and close them after it.
pub fn keeps_connections_for_a_second(address: SocketAddr) {
    let mut client = Client::connect(address);
    let answer = client.request("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    let answered = Instant::now();
    assert!(answer.head.contains("\r\nkeep-alive: timeout=1\r\n"), "{answer:?}");
    assert!(client.is_closed());
    // The HTTP library's clock ticks every half second.
    let kept = answered.elapsed();
    assert!(Duration::from_millis(400) < kept && kept < Duration::from_secs(4), "kept for {kept:?}");
}

/// Bytes that are not a valid request.
const MALFORMED_REQUESTS: &[&[u8]] = &[
    b"what is this\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello TLS",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
];

/// Reads the counter of failed connections with this cause. Retries while the listener refuses connections.
fn connection_errors(metrics: SocketAddr, name: &str, labels: &str, cause: &str) -> u64 {
    let began = Instant::now();
    let text = loop {
        if let Some(answer) = Client::connect(metrics).try_request("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") {
            break answer.body;
        }
        assert!(began.elapsed() < TIMEOUT, "the listener accepts no connection");
    };
    let cause = format!("cause=\"{cause}\"");
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(&cause) && line.contains(labels));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name} with {cause} in {text}"))
}

/// Checks a listener that is configured for one connection and a short request timeout. It counts connections above the limit (`no_room`), and
/// connections without a request (`head_timeout`).
///
/// The parameters are those of [`counts_malformed_requests`].
pub fn counts_refused_connections(listener: SocketAddr, metrics: SocketAddr, name: &str, labels: &str) {
    let counts = || ["no_room", "head_timeout"].map(|cause| connection_errors(metrics, name, labels, cause));
    let before = counts();
    let began = Instant::now();
    // An earlier connection may still occupy the listener, so one attempt may not be enough.
    while counts().iter().zip(before).any(|(count, before)| *count <= before) {
        assert!(began.elapsed() < TIMEOUT, "no_room and head_timeout: {before:?}, later {:?}", counts());
        let silent = [Client::connect(listener), Client::connect(listener)];
        for mut client in silent {
            client.wait_closed();
        }
    }
}

/// Checks that a listener of `process` closes connections with malformed requests, counts them, and logs no error.
///
/// `metrics` is the address that serves the metrics. `name` is the counter's name. `labels` are its labels other than `cause`.
pub fn counts_malformed_requests(process: &Process, listener: SocketAddr, metrics: SocketAddr, name: &str, labels: &str) {
    let count = |cause: &str| connection_errors(metrics, name, labels, cause);
    let before = count("malformed");
    for request in MALFORMED_REQUESTS {
        let mut client = Client::connect(listener);
        client.send(request);
        client.wait_closed();
    }
    let lines = [&b"GET /livez HTTP/1.1\r\nHost: a\r\n"[..], &b"A: b\r\n".repeat(200)].concat();
    let endless = [&b"GET /livez HTTP/1.1\r\nHost: "[..], &b"a".repeat(200_000)].concat();
    let large = count("head_too_large");
    for head in [lines, endless] {
        let mut client = Client::connect(listener);
        client.send_some(&head);
        client.wait_closed();
    }
    assert_eq!(count("malformed") - before, MALFORMED_REQUESTS.len() as u64);
    assert_eq!(count("head_too_large") - large, 2);
    let lines = |log: &str| log.lines().filter(|line| line.contains("malformed") && line.contains("INFO") && line.contains(labels)).count();
    let log = process.wait_for_log(|log| lines(log) > 0);
    assert_eq!(lines(&log), 1, "one log line for all of them: {log}");
}

/// Opens 400 connections that send nothing, more than `process` may open files. Checks that the listener closes them at its time limit and then
/// answers other clients.
pub fn survives_silent_clients(process: &Process, listener: SocketAddr) {
    let silent: Vec<_> = (0..400).map(|_| Client::connect(listener)).collect();
    let began = Instant::now();
    while Client::connect(listener).try_request("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").is_none_or(|answer| answer.status != 200) {
        assert!(began.elapsed() < TIMEOUT, "the listener accepts no connection");
    }
    drop(silent);
    process.wait_for_log(|log| log.contains("WARN") && log.contains("lowered"));
}
