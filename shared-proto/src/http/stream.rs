//! Filters the bytes of a connection before the HTTP library reads them.

use super::body::Body;
use super::deadline::{Deadline, Late};
use super::errors::{Cause, ConnectionErrors};
use super::head;
use super::takeover::{TakenOver, Takeover};
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Maximum size of a head in bytes. A larger one is passed on unfinished, so that the HTTP library refuses it.
const MAX_HEAD_SIZE: usize = 128 * 1024;

/// Returns whether a path accepts WebSocket upgrades.
pub type AcceptsWebSocket = Rc<dyn Fn(&str) -> bool>;

/// Time limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestTimes {
    /// For each head. The time of the first head starts with the connection, the time of a later one with its first byte.
    pub head: Duration,
    /// For each body, from the end of its head. Without a limit, a client that sends now and then a byte would have a connection for ever, even
    /// after its request was refused.
    pub body: Duration,
}

/// Reads from its stream with three changes: it yields each head in one piece, drops empty lines before it, and hides an upgrade offer unless the
/// path accepts it.
///
/// The reason is actix-http. It closes a connection after the response to any request with the connection option `upgrade`, and reads everything
/// after `Upgrade: websocket` as one body. RFC 9110, section 7.8, allows a server to ignore an offer.
pub struct RequestStream<T> {
    /// `None` after a takeover. Then nothing more comes, and what the library writes is ignored.
    io: Option<T>,
    takeover: Takeover<T>,
    accepts_websocket: AcceptsWebSocket,
    /// The rest of the current body.
    body: Body,
    /// Bytes that were read from `io` and not yet passed on.
    buffer: BytesMut,
    /// Number of bytes in `buffer` that can be passed on now.
    ready: usize,
    /// Number of bytes in `buffer` that were searched and contain no end of a head.
    searched: usize,
    /// Deadline of the next head.
    deadline: Deadline,
    /// Deadline of the body.
    body_deadline: Deadline,
    /// Whether the first head has arrived.
    has_begun: bool,
    errors: Arc<ConnectionErrors>,
}

impl<T: 'static> RequestStream<T> {
    /// A stream of a new connection.
    pub fn new(io: T, accepts_websocket: AcceptsWebSocket, times: RequestTimes, errors: Arc<ConnectionErrors>) -> Self {
        Self::resumed(io, BytesMut::new(), accepts_websocket, times, errors)
    }

    /// A stream from which these first bytes were already read.
    pub(super) fn resumed(
        io: T,
        first: BytesMut,
        accepts_websocket: AcceptsWebSocket,
        times: RequestTimes,
        errors: Arc<ConnectionErrors>,
    ) -> Self {
        let (deadline, body_deadline) = (Deadline::new(times.head), Deadline::new(times.body));
        let (io, takeover) = (Some(io), Takeover::new());
        Self {
            io,
            takeover,
            accepts_websocket,
            body: Body::Ended,
            buffer: first,
            ready: 0,
            searched: 0,
            deadline,
            body_deadline,
            has_begun: false,
            errors,
        }
    }

    /// The stream, and the bytes that were read from it and not yet passed on. `None` after a takeover.
    pub fn into_parts(self) -> Option<(T, BytesMut)> {
        Some((self.io?, self.buffer))
    }

    /// The stream below. `None` after a takeover.
    pub(super) fn get_ref(&self) -> Option<&T> {
        self.io.as_ref()
    }

    /// Lets handlers take the stream.
    pub(super) fn takeover(&self) -> Takeover<T> {
        self.takeover.clone()
    }

    /// Parses the next bytes. Returns how many of them can be passed on now. The rest is the beginning of a head, or empty lines before one.
    fn parse(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            if self.body != Body::Ended {
                let chunked = matches!(self.body, Body::Chunked(_));
                at += self.body.take(rest);
                if chunked && self.body == Body::Unbounded {
                    // The HTTP library closes the connection and reports no error.
                    self.errors.record(Cause::Malformed, &"invalid chunk of a body");
                }
            } else if matches!(rest[0], b'\r' | b'\n') {
                break;
            } else if let Some(end) = head::end(rest, self.searched) {
                self.body = head::hide_upgrade(&mut rest[..end], &*self.accepts_websocket);
                self.searched = 0;
                self.has_begun = true;
                self.deadline.clear();
                self.body_deadline.clear();
                at += end;
            } else if rest.len() >= MAX_HEAD_SIZE || (self.is_check_due(rest.len()) && head::is_malformed(rest)) {
                self.body = Body::Unbounded;
                self.searched = 0;
            } else {
                self.searched = rest.len();
                break;
            }
        }
        at
    }

    /// Whether to check an incomplete head of this size. A check after every piece would take quadratic time, so the size must double between two.
    fn is_check_due(&self, size: usize) -> bool {
        size.next_power_of_two() > self.searched.next_power_of_two()
    }

    /// Whether the deadline of a head runs: for the first head, and for a later one that has begun.
    fn awaits_head(&self) -> bool {
        self.body == Body::Ended && (!self.has_begun || !self.buffer.is_empty())
    }

    /// Parses the buffer, in which no byte is ready.
    fn parse_buffer(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if self.body == Body::Ended {
            let empty_lines = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            buffer.advance(empty_lines);
        }
        if buffer.len() > self.searched {
            self.ready = self.parse(&mut buffer);
        }
        if !buffer.is_empty() {
            self.buffer = buffer;
        }
    }
}

impl<T: AsyncRead + Unpin + 'static> AsyncRead for RequestStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.ready == 0 && !this.buffer.is_empty() {
                this.parse_buffer();
            }
            if this.ready > 0 {
                let count = this.ready.min(buf.remaining());
                buf.put_slice(&this.buffer[..count]);
                this.buffer.advance(count);
                this.ready -= count;
                if this.buffer.is_empty() {
                    // Frees the memory, because the connection may now be idle.
                    this.buffer = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            let start = buf.filled().len();
            let Some(io) = &mut this.io else { return Poll::Ready(Ok(())) };
            if Pin::new(io).poll_read(cx, buf)?.is_pending() {
                if this.awaits_head() {
                    ready!(this.deadline.poll(cx));
                    return Poll::Ready(Err(Late::Head.into()));
                }
                if matches!(this.body, Body::Length(_) | Body::Chunked(_)) {
                    ready!(this.body_deadline.poll(cx));
                    return Poll::Ready(Err(Late::Body.into()));
                }
                return Poll::Pending;
            }
            if buf.filled().len() == start {
                return Poll::Ready(Ok(()));
            }
            let passed = if this.buffer.is_empty() { this.parse(&mut buf.filled_mut()[start..]) } else { 0 };
            this.buffer.extend_from_slice(&buf.filled()[start + passed..]);
            buf.set_filled(start + passed);
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin + 'static> AsyncWrite for RequestStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Some(io) => Pin::new(io).poll_write(cx, bytes),
            None => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(io) = &mut this.io else { return Poll::Ready(Ok(())) };
        ready!(Pin::new(io).poll_flush(cx))?;
        // The library flushes once its write buffer is empty, so the head is on its way.
        if let Some(enter) = this.takeover.take()?
            && let Some(io) = this.io.take()
        {
            enter(io);
            // Only an error ends the library's part in every state: it may have read further requests, and does not answer them.
            return Poll::Ready(Err(TakenOver.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().map_or(Poll::Ready(Ok(())), |io| Pin::new(io).poll_shutdown(cx))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Some(io) => Pin::new(io).poll_write_vectored(cx, parts),
            None => Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}
