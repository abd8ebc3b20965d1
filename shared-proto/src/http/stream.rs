//! Filters the bytes of a connection before the HTTP library reads them.

use super::body::Body;
use super::deadline::{Deadline, HeadTimeout};
use super::errors::{Cause, ConnectionErrors};
use super::head;
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Size of a head in bytes from which this stream passes it on unfinished, so that the HTTP library refuses it.
const LARGEST_HEAD: usize = 128 * 1024;

/// Whether a path accepts WebSocket upgrades.
pub type SpeaksWebSocket = Rc<dyn Fn(&str) -> bool>;

/// Reads from its stream, with three changes: it yields each head in one piece, drops empty lines before it, and removes an offer to upgrade unless the
/// path accepts it.
///
/// actix-http closes a connection after the response to any request that has the connection option `upgrade`, and reads everything after
/// `Upgrade: websocket` as one body. RFC 9110, section 7.8, lets a server ignore an offer to upgrade.
pub struct RequestStream<T> {
    io: T,
    websocket: SpeaksWebSocket,
    /// The rest of the current body.
    body: Body,
    /// Bytes that were read from `io` and not yet handed on.
    held: BytesMut,
    /// Number of bytes in `held` that can be handed on now.
    ready: usize,
    /// Number of bytes in `held` that were searched and contain no end of a head.
    searched: usize,
    /// Deadline of the next head.
    deadline: Deadline,
    /// Whether a head has arrived.
    begun: bool,
    errors: Arc<ConnectionErrors>,
}

impl<T> RequestStream<T> {
    /// `websocket` tells which paths accept WebSocket upgrades. `timeout` limits the time of a head: the first from now on, later ones from their first byte.
    pub fn new(io: T, websocket: SpeaksWebSocket, timeout: Duration, errors: Arc<ConnectionErrors>) -> Self {
        let deadline = Deadline::new(timeout);
        Self { io, websocket, body: Body::Ended, held: BytesMut::new(), ready: 0, searched: 0, deadline, begun: false, errors }
    }

    /// The stream, and the bytes that were read from it and not yet handed on.
    pub fn into_parts(self) -> (T, BytesMut) {
        (self.io, self.held)
    }

    /// Parses the next bytes. Returns how many of them can be handed on now. The rest is the beginning of a head, or empty lines before one.
    fn settle(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            if self.body != Body::Ended {
                let chunked = matches!(self.body, Body::Chunked(_));
                at += self.body.take(rest);
                if chunked && self.body == Body::Unbounded {
                    // The HTTP library closes the connection without a word.
                    self.errors.note(Cause::Malformed, &"invalid chunk of a body");
                }
            } else if matches!(rest[0], b'\r' | b'\n') {
                break;
            } else if let Some(end) = head::end(rest, self.searched) {
                self.body = head::settle(&mut rest[..end], &*self.websocket);
                self.searched = 0;
                self.begun = true;
                self.deadline.clear();
                at += end;
            } else if rest.len() >= LARGEST_HEAD || (self.is_due(rest.len()) && head::is_malformed(rest)) {
                self.body = Body::Unbounded;
                self.searched = 0;
            } else {
                self.searched = rest.len();
                break;
            }
        }
        at
    }

    /// Whether an incomplete head of this size is to be looked at: not with every piece of it, or it would cost the square of its size.
    fn is_due(&self, size: usize) -> bool {
        size.next_power_of_two() > self.searched.next_power_of_two()
    }

    /// Whether a head has to come in time: the first, and one that has begun.
    fn awaits_head(&self) -> bool {
        self.body == Body::Ended && (!self.begun || !self.held.is_empty())
    }

    /// Goes on with what is held, of which nothing is ready.
    fn settle_held(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        if self.body == Body::Ended {
            let empty_lines = held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            held.advance(empty_lines);
        }
        if held.len() > self.searched {
            self.ready = self.settle(&mut held);
        }
        if !held.is_empty() {
            self.held = held;
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for RequestStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.ready == 0 && !this.held.is_empty() {
                this.settle_held();
            }
            if this.ready > 0 {
                let count = this.ready.min(buf.remaining());
                buf.put_slice(&this.held[..count]);
                this.held.advance(count);
                this.ready -= count;
                if this.held.is_empty() {
                    // An idle connection is to hold no memory.
                    this.held = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            let start = buf.filled().len();
            if Pin::new(&mut this.io).poll_read(cx, buf)?.is_pending() {
                if this.awaits_head() {
                    ready!(this.deadline.poll(cx));
                    return Poll::Ready(Err(HeadTimeout.into()));
                }
                return Poll::Pending;
            }
            if buf.filled().len() == start {
                return Poll::Ready(Ok(()));
            }
            let kept = if this.held.is_empty() { this.settle(&mut buf.filled_mut()[start..]) } else { 0 };
            this.held.extend_from_slice(&buf.filled()[start + kept..]);
            buf.set_filled(start + kept);
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for RequestStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
