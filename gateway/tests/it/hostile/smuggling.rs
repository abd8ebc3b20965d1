//! Requests that two servers read in different ways (CWE-444). A proxy ahead takes the second one for a body; the gateway must not carry it
//! out.

use crate::listeners::Gateway;
use crate::{client::Client, public::ask};
use serde_json::Value;
use std::net::SocketAddr;

const BODY: &str = r#"{"data":"smuggled"}"#;

/// A request that publishes into `news:smuggled`.
fn inner() -> String {
    format!(
        "POST /v1/channels/news:smuggled/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

/// A request that publishes, with these lines about the length of its body.
fn outer(lines: &str) -> String {
    format!(
        "POST /v1/channels/news:outer/publications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n\
         {lines}\r\n"
    )
}

/// The number of publications in a channel.
fn published(internal: SocketAddr, channel: &str) -> usize {
    let (_, body) = ask(internal, "GET", &format!("/v1/channels/{channel}/publications"), "Authorization: Bearer dev\r\n", "");
    serde_json::from_str::<Value>(&body).expect("JSON")["publications"].as_array().unwrap_or_else(|| panic!("{body}")).len()
}

/// Statuses of all answers until the server closes the connection or has nothing more to say.
fn statuses(address: SocketAddr, bytes: &str) -> Vec<u16> {
    let mut client = Client::connect(address);
    client.send(bytes.as_bytes());
    client.finish();
    let mut statuses = Vec::new();
    while let Some(head) = client.try_head() {
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let length = head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        client.skip(length);
        statuses.push(status);
    }
    statuses
}

#[test]
fn a_request_within_a_request_is_not_carried_out() {
    let gateway = Gateway::start(&[]);
    let inner = inner();
    let (length, chunk) = (BODY.len(), format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len()));
    let both = inner.len() + "0\r\n\r\n".len();
    let lines_of = [
        ("a length and chunks", format!("Content-Length: {both}\r\nTransfer-Encoding: chunked\r\n")),
        ("chunks and a length", format!("Transfer-Encoding: chunked\r\nContent-Length: {both}\r\n")),
        ("chunks after a folded line", format!("Content-Length: {both}\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n")),
        ("a folded value", format!("Content-Length: {both}\r\nTransfer-Encoding:\r\n chunked\r\n")),
        ("a space before the colon", format!("Content-Length: {both}\r\nTransfer-Encoding : chunked\r\n")),
        ("a name with a control character", format!("Content-Length: {both}\r\n\x0bTransfer-Encoding: chunked\r\n")),
        ("a coding of no meaning", format!("Content-Length: {both}\r\nTransfer-Encoding: xchunked\r\n")),
        ("chunked twice", format!("Content-Length: {both}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        ("chunked before another coding", "Transfer-Encoding: chunked, identity\r\n".to_owned()),
        ("two lengths", format!("Content-Length: {both}\r\nContent-Length: 5\r\n")),
        ("two lengths in one line", format!("Content-Length: {both}, 5\r\n")),
        ("a length with a sign", format!("Content-Length: +{both}\r\n")),
        ("a length in hexadecimal", format!("Content-Length: 0x{both:x}\r\n")),
        ("a length with a space", "Content-Length: 5 \x0b\r\n".to_owned()),
    ];
    for (what, lines) in &lines_of {
        let answers = statuses(gateway.internal, &format!("{}0\r\n\r\n{inner}", outer(lines)));
        assert!(answers.len() <= 1 && answers.iter().all(|status| (400..500).contains(status)), "{what}: {answers:?}");
    }
    for (what, bytes) in [
        ("a chunk with a sign", format!("+{chunk}")),
        ("a chunk in hexadecimal notation", format!("0x{chunk}")),
        ("a chunk that is longer than it says", format!("1\r\n{BODY}\r\n0\r\n\r\n")),
        ("a chunk larger than all numbers", "1ffffffffffffffff\r\n".to_owned()),
        ("a bare carriage return behind a chunk's length", chunk.replacen("\r\n", "\r", 1)),
    ] {
        let answers = statuses(gateway.internal, &format!("{}{bytes}{inner}", outer("Transfer-Encoding: chunked\r\n")));
        assert!(answers.len() <= 1 && answers.iter().all(|status| (400..500).contains(status)), "{what}: {answers:?}");
    }
    // A body that looks like a request is a body.
    let get = format!(
        "GET /v1/channels/news:smuggled HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer dev\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    assert_eq!(statuses(gateway.internal, &get).len(), 1);
    assert_eq!(published(gateway.internal, "news:smuggled"), 0);
    assert_eq!(published(gateway.internal, "news:outer"), 0);

    // The honest twin: the same requests with the right length, one behind the other.
    let with_length = format!("{}{BODY}", outer(&format!("Content-Length: {length}\r\n")));
    let with_chunks = format!("{}{chunk}", outer("Transfer-Encoding: chunked\r\n"));
    assert_eq!(statuses(gateway.internal, &format!("{with_length}{with_chunks}{inner}")), [200, 200, 200]);
    assert_eq!((published(gateway.internal, "news:outer"), published(gateway.internal, "news:smuggled")), (2, 1));
}

#[test]
fn the_public_listener_reads_lengths_as_the_internal_one() {
    let gateway = Gateway::start(&[]);
    let request = |lines: &str, body: &str| {
        format!(
            "POST /demo/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{lines}\r\n{body}GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        )
    };
    let body = r#"{"user":"alice"}"#;
    let length = body.len();
    for lines in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Content-Length: {length}\r\nTransfer-Encoding:\r\n chunked\r\n"),
        format!("Content-Length: {length}\r\nContent-Length: 0\r\n"),
        format!("Content-Length: {length}\r\n X: folded\r\n"),
    ] {
        let answers = statuses(gateway.public, &request(&lines, body));
        assert!(answers.len() <= 1 && answers.iter().all(|status| (400..500).contains(status)), "{lines}: {answers:?}");
    }
    assert_eq!(statuses(gateway.public, &request(&format!("Content-Length: {length}\r\n"), body)), [200, 200]);
}
