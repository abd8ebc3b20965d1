//! The invariant of the adapter between a connection and the HTTP library.

use actix_codec::Decoder as _;
use actix_http::h1::{Codec, Message};
use bytes::BytesMut;
use shared_proto::http::{ConnectionErrors, RequestStream, RequestTimes};
use std::{
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::io::{AsyncRead, ReadBuf};

/// The only path that accepts WebSockets.
const SOCKET: &str = "/socket";

/// Checks that the adapter passes on the same bytes however they arrive, with their number unchanged, and that the HTTP library finds no offer
/// of an upgrade in them but one of WebSocket at the path for it.
///
/// One part may differ: the beginning of a last head that is malformed. The adapter passes it on once it notices, and does not look after each
/// piece.
///
/// The first byte of `data` is the size of the pieces.
pub fn check(data: &[u8]) {
    let [size, bytes @ ..] = data else { return };
    let whole = read(bytes, bytes.len().max(1));
    let in_pieces = read(bytes, usize::from(*size).max(1));
    let (longer, shorter) = if in_pieces.len() > whole.len() { (&in_pieces, &whole) } else { (&whole, &in_pieces) };
    let rest = longer.strip_prefix(&shorter[..]).unwrap_or_else(|| panic!("other bytes in pieces of {size}: {in_pieces:?}"));
    assert!(is_incomplete(rest), "whole and in pieces of {size} differ by {rest:?}");
    let empty_lines = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    assert!(whole.len() <= bytes.len() - empty_lines, "nothing is added");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    // The clock of the library is a task.
    tokio::task::LocalSet::new().block_on(&runtime, async { check_requests(&whole) });
}

/// Whether a head that begins here has no end.
fn is_incomplete(head: &[u8]) -> bool {
    !head.windows(2).any(|two| two == b"\n\n") && !head.windows(3).any(|three| three == b"\n\r\n")
}

fn check_requests(bytes: &[u8]) {
    let (mut codec, mut buffer) = (Codec::default(), BytesMut::from(bytes));
    // The library reads nothing behind an error.
    while let Ok(Some(message)) = codec.decode(&mut buffer) {
        let Message::Item(request) = message else { continue };
        let method = request.method().as_str();
        assert!(!request.upgrade() || method == "CONNECT" || request.path() == SOCKET, "{method} {} is an upgrade", request.path());
        if request.upgrade() {
            return;
        }
    }
}

/// Yields pieces of bytes.
struct Pieces(Vec<u8>, usize);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.1.min(buf.remaining()).min(self.0.len());
        buf.put_slice(&self.0.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

fn read(bytes: &[u8], size: usize) -> Vec<u8> {
    let times = RequestTimes { head: Duration::from_secs(5), body: Duration::from_secs(5) };
    let accepts = Rc::new(|path: &str| path == SOCKET);
    let mut stream = RequestStream::new(Pieces(bytes.to_vec(), size), accepts, times, Arc::new(ConnectionErrors::new("fuzz")));
    let mut context = Context::from_waker(Waker::noop());
    let (mut all, mut room) = (Vec::new(), [0; 1024]);
    loop {
        let mut buffer = ReadBuf::new(&mut room);
        match Pin::new(&mut stream).poll_read(&mut context, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => all.extend_from_slice(buffer.filled()),
            _ => return all,
        }
    }
}
