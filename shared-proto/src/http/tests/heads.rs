//! Any requests in any pieces: what is read is what was sent, but for the offers.

use super::super::{ConnectionErrors, RequestStream};
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

/// Gives one piece at a time.
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

/// All that a reader gets whose buffer has `room`.
fn read(pieces: Vec<Vec<u8>>, room: usize) -> Vec<u8> {
    let mut stream = RequestStream::new(
        Pieces(pieces),
        Rc::new(|path: &str| path == "/socket"),
        Duration::from_secs(5),
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
enum Sent {
    Length(Vec<u8>),
    /// Chunks, the extension of each line, and a trailer line.
    Chunked(Vec<Vec<u8>>, &'static str, &'static str),
}

#[derive(Debug, Clone)]
struct Sending {
    path: &'static str,
    /// Before the request.
    empty_lines: &'static str,
    offers: Vec<(&'static str, &'static str)>,
    body: Sent,
}

impl Sending {
    /// As it is sent, and as it is read.
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut sent, mut read) = (format!("POST {} HTTP/1.1\r\nHost: a\r\n", self.path), String::new());
        read.push_str(&sent);
        for (offer, ignored) in &self.offers {
            sent.push_str(offer);
            read.push_str(ignored);
        }
        let (line, body) = match &self.body {
            Sent::Length(body) => (format!("Content-Length: {}\r\n\r\n", body.len()), body.clone()),
            Sent::Chunked(chunks, extension, trailer) => {
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

fn sendings() -> impl Strategy<Value = Vec<Sending>> {
    // Bodies look like heads with offers, so that a misread boundary shows.
    let bytes =
        || prop_oneof![vec(any::<u8>(), 0..200), Just(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n".to_vec())];
    let chunk = || bytes().prop_filter("an empty chunk is the last", |chunk| !chunk.is_empty());
    let body = prop_oneof![
        bytes().prop_map(Sent::Length),
        (
            vec(chunk(), 0..4),
            prop::sample::select(vec!["", ";a=b", " ;a"]),
            prop::sample::select(vec!["", "A: b\r\n", "Connection: upgrade\r\n"])
        )
            .prop_map(|(chunks, extension, trailer)| Sent::Chunked(chunks, extension, trailer)),
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
    let sending = (prop::sample::select(vec!["/", "/a?b=c"]), empty_lines, vec(offer, 0..4), body);
    vec(sending.prop_map(|(path, empty_lines, offers, body)| Sending { path, empty_lines, offers, body }), 1..6)
}

/// Requests and bytes of bodies that the HTTP library finds.
fn decoded(bytes: &[u8]) -> (usize, usize) {
    // Its clock is a task.
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
    assert!(buffer.is_empty(), "the HTTP library takes all");
    found
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_but_for_its_offers(all in sendings(), sizes in vec(1usize..400, 1..20), room in 1usize..300) {
        let (sent, wanted): (Vec<_>, Vec<_>) = all.iter().map(Sending::bytes).unzip();
        let (sent, wanted) = (sent.concat(), wanted.concat());
        let got = read(cut(&sent, &sizes), room);
        prop_assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&wanted));
        let bodies = all.iter().map(|sending| match &sending.body {
            Sent::Length(body) => body.len(),
            Sent::Chunked(chunks, ..) => chunks.iter().map(Vec::len).sum(),
        });
        prop_assert_eq!(decoded(&got), (all.len(), bodies.sum()));
    }

    #[test]
    fn garbage_is_handed_on_as_it_comes(bytes in vec(any::<u8>(), 0..3000), sizes in vec(1usize..400, 1..20)) {
        let got = read(cut(&bytes, &sizes), 512);
        let rest: &[u8] = &bytes[bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()..];
        prop_assert!(rest.starts_with(&got));
    }
}

#[test]
fn what_cannot_become_a_head_is_left_to_the_library_at_once() {
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET / HTTP/3", b"hello: world\r\nthis", b"GET / HTTP/1.1\r\nbad header"]
    {
        assert_eq!(read(vec![garbage.to_vec()], 64), garbage, "{garbage:?}");
    }
    assert!(read(vec![b"GET / HTTP/1.1\r\nHost".to_vec()], 64).is_empty(), "this can");
}

#[test]
fn after_an_accepted_offer_all_comes_as_it_is() {
    let frames = b"\r\n\r\n\x81\x00GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n";
    let head = b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let sent = [&head[..], frames].concat();
    for size in [1, 7, 50, 1000] {
        assert_eq!(read(cut(&sent, &[size]), 64), sent, "in pieces of {size}");
    }
}

#[test]
fn a_head_without_an_end_is_left_to_the_library_once_it_is_too_large() {
    let endless = [b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec(), b"A: b\r\n".repeat(40_000)].concat();
    let started = std::time::Instant::now();
    assert_eq!(read(cut(&endless, &[1000]), 4096), endless);
    assert!(read(cut(&vec![b'\n'; 200_000], &[1000]), 4096).is_empty(), "empty lines are nothing");
    assert!(started.elapsed().as_secs() < 5, "no byte is looked at again and again");
}
