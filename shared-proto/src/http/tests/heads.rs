//! Requests in arbitrary pieces. The HTTP library must read the same bytes that were sent, except for upgrade offers.

use super::super::{ConnectionErrors, RequestStream, RequestTimes};
use actix_codec::Decoder as _;
use actix_http::h1::{Codec, Message};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};

/// A reader that yields one piece per read.
struct Pieces(Vec<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.first_mut() {
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(piece);
            if rest.is_empty() {
                self.0.remove(0);
            } else {
                self.0[0] = rest;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads all bytes with a buffer of `room` bytes.
fn read(pieces: Vec<Vec<u8>>, room: usize) -> Vec<u8> {
    let mut stream = RequestStream::new(
        Pieces(pieces),
        Rc::new(|path: &str| path == "/socket"),
        RequestTimes { head: Duration::from_secs(5), body: Duration::from_secs(5) },
        Arc::new(ConnectionErrors::new("test")),
    );
    let mut cx = Context::from_waker(Waker::noop());
    let (mut all, mut chunk) = (Vec::new(), vec![0; room]);
    loop {
        let mut buf = ReadBuf::new(&mut chunk);
        assert!(Pin::new(&mut stream).poll_read(&mut cx, &mut buf).is_ready());
        if buf.filled().is_empty() {
            return all;
        }
        all.extend_from_slice(buf.filled());
    }
}

fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, left) = rest.split_at(rest.len().min(*size));
        pieces.push(piece.to_vec());
        rest = left;
    }
    pieces
}

#[derive(Debug, Clone)]
enum TestBody {
    Length(Vec<u8>),
    /// The chunks, the extension of each chunk, and the trailer.
    Chunked(Vec<Vec<u8>>, &'static str, &'static str),
}

#[derive(Debug, Clone)]
struct TestRequest {
    path: &'static str,
    /// Empty lines before the request.
    empty_lines: &'static str,
    /// Header lines as they are sent, and as the HTTP library must read them.
    offers: Vec<(&'static str, &'static str)>,
    body: TestBody,
}

impl TestRequest {
    /// The request as it is sent, and as the HTTP library must read it.
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut sent, mut read) = (format!("POST {} HTTP/1.1\r\nHost: a\r\n", self.path), String::new());
        read.push_str(&sent);
        for (offer, ignored) in &self.offers {
            sent.push_str(offer);
            read.push_str(ignored);
        }
        let (line, body) = match &self.body {
            TestBody::Length(body) => (format!("Content-Length: {}\r\n\r\n", body.len()), body.clone()),
            TestBody::Chunked(chunks, extension, trailer) => {
                let mut body = Vec::new();
                for chunk in chunks {
                    body.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
                    body.extend_from_slice(chunk);
                    body.extend_from_slice(b"\r\n");
                }
                body.extend_from_slice(format!("0{extension}\r\n{trailer}\r\n").as_bytes());
                ("Transfer-Encoding: chunked\r\n\r\n".to_owned(), body)
            }
        };
        let whole = |head: &str| [head.as_bytes(), line.as_bytes(), &body[..]].concat();
        ([self.empty_lines.as_bytes(), &whole(&sent)[..]].concat(), whole(&read))
    }
}

fn requests() -> impl Strategy<Value = Vec<TestRequest>> {
    // Some bodies look like heads with offers, so that a misread boundary fails the test.
    let bytes =
        || prop_oneof![vec(any::<u8>(), 0..200), Just(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n".to_vec())];
    let chunk = || bytes().prop_filter("an empty chunk is the last", |chunk| !chunk.is_empty());
    let body = prop_oneof![
        bytes().prop_map(TestBody::Length),
        (
            vec(chunk(), 0..4),
            prop::sample::select(vec!["", ";a=b", " ;a"]),
            prop::sample::select(vec!["", "A: b\r\n", "Connection: upgrade\r\n"])
        )
            .prop_map(|(chunks, extension, trailer)| TestBody::Chunked(chunks, extension, trailer)),
    ];
    let offer = prop::sample::select(vec![
        ("Connection: upgrade\r\n", "Connection: Ignored\r\n"),
        ("connection: foo, Upgrade,HTTP2-Settings\r\n", "connection: foo, Ignored,HTTP2-Settings\r\n"),
        ("UPGRADE: h2c\r\n", "Ignored: h2c\r\n"),
        ("Upgrade: h2c, websocket\r\n", "Ignored: h2c, websocket\r\n"),
        ("X-Upgrade: upgrade\r\n", "X-Upgrade: upgrade\r\n"),
        ("Connection: keep-alive\r\n", "Connection: keep-alive\r\n"),
    ]);
    let empty_lines = prop::sample::select(vec!["", "", "\r\n", "\n\r\n"]);
    let request = (prop::sample::select(vec!["/", "/a?b=c"]), empty_lines, vec(offer, 0..4), body);
    vec(request.prop_map(|(path, empty_lines, offers, body)| TestRequest { path, empty_lines, offers, body }), 1..6)
}

/// The number of requests that the HTTP library decodes, and the total size of their bodies.
fn decoded(bytes: &[u8]) -> (usize, usize) {
    // The library's clock is a task, so it needs a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async { decode(bytes) })
}

fn decode(bytes: &[u8]) -> (usize, usize) {
    let (mut codec, mut buffer, mut found) = (Codec::default(), BytesMut::from(bytes), (0, 0));
    while let Some(message) = codec.decode(&mut buffer).expect("well formed") {
        match message {
            Message::Item(_) => found.0 += 1,
            Message::Chunk(chunk) => found.1 += chunk.map_or(0, |chunk| chunk.len()),
        }
    }
    assert!(buffer.is_empty(), "the HTTP library decodes all bytes");
    found
}

proptest! {
    #[test]
    fn only_upgrade_offers_are_changed(all in requests(), sizes in vec(1usize..400, 1..20), room in 1usize..300) {
        let (sent, expected): (Vec<_>, Vec<_>) = all.iter().map(TestRequest::bytes).unzip();
        let (sent, expected) = (sent.concat(), expected.concat());
        let got = read(cut(&sent, &sizes), room);
        prop_assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&expected));
        let bodies = all.iter().map(|request| match &request.body {
            TestBody::Length(body) => body.len(),
            TestBody::Chunked(chunks, ..) => chunks.iter().map(Vec::len).sum(),
        });
        prop_assert_eq!(decoded(&got), (all.len(), bodies.sum()));
    }

    #[test]
    fn random_bytes_are_passed_on_unchanged(bytes in vec(any::<u8>(), 0..3000), sizes in vec(1usize..400, 1..20)) {
        let got = read(cut(&bytes, &sizes), 512);
        let rest: &[u8] = &bytes[bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()..];
        prop_assert!(rest.starts_with(&got));
    }
}

#[test]
fn bytes_that_cannot_be_a_head_are_passed_on_at_once() {
    for malformed in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET / HTTP/3", b"hello: world\r\nthis", b"GET / HTTP/1.1\r\nbad header"]
    {
        assert_eq!(read(vec![malformed.to_vec()], 64), malformed, "{malformed:?}");
    }
    assert!(read(vec![b"GET / HTTP/1.1\r\nHost".to_vec()], 64).is_empty(), "the beginning of a valid head waits for its rest");
}

#[test]
fn bytes_after_an_accepted_offer_are_passed_on_unchanged() {
    let frames = b"\r\n\r\n\x81\x00GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n";
    let head = b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let sent = [&head[..], frames].concat();
    for size in [1, 7, 50, 1000] {
        assert_eq!(read(cut(&sent, &[size]), 64), sent, "in pieces of {size}");
    }
}

#[test]
fn a_head_without_an_end_is_passed_on_once_it_is_too_large() {
    let endless = [b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec(), b"A: b\r\n".repeat(40_000)].concat();
    let started = std::time::Instant::now();
    assert_eq!(read(cut(&endless, &[1000]), 4096), endless);
    assert!(read(cut(&vec![b'\n'; 200_000], &[1000]), 4096).is_empty(), "empty lines are dropped");
    assert!(started.elapsed().as_secs() < 5, "the search does not start again with each piece");
}
