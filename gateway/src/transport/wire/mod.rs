//! One WebSocket: bytes in, in turns; frames out, gathered.

#[cfg(test)]
mod tests;

use super::{buffers, socket::Abort};
use gateway_core::protocol::websocket::{Decoder, Event, Violation};
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered into one write at most; a frame of this size or more is written by itself, without a copy.
pub const GATHER: usize = 64 * 1024;

/// What the receiver of an [`Event`] wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next event.
    Go,
    /// Enough for this turn: the task is woken for another one.
    Yield,
    /// Nothing until [`Wire::poll_turn`] is called again; nobody is woken. For a receiver that is full, or done.
    Hold,
}

/// Why nothing more will come.
#[derive(Debug)]
pub enum End {
    /// The peer closed its side of the socket.
    Eof,
    /// The peer broke the protocol: answer with the violation's close code. What it still sends is read and ignored.
    Violation(Violation),
    /// The socket failed.
    Failed(io::Error),
}

/// What one call of [`Wire::poll_write`] did.
#[derive(Debug)]
pub struct Wrote {
    /// Bytes of the frames that left the queue.
    pub bytes: usize,
    /// Ready once the queue is empty and flushed; pending while the socket takes no more (it will wake the task).
    pub state: Poll<io::Result<()>>,
}

/// A WebSocket on the server's side.
///
/// Reading happens in turns, so that a peer that floods cannot hold the worker: a turn takes a bounded number of bytes into a
/// buffer that all connections of the thread share, then wakes its task and returns. The connection owns memory for input only
/// while a message is incomplete, or for what a stopped turn left.
///
/// The queue of frames belongs to the caller. A `Wire` only knows how much of the front frame is out already.
#[derive(Debug)]
pub struct Wire<T> {
    io: T,
    decoder: Decoder,
    /// Read but not decoded yet; rarely there.
    rest: Option<Box<Rest>>,
    /// Bytes of the queue's front frame that are out.
    begun: usize,
    /// Something was written since the last flush.
    unflushed: bool,
}

#[derive(Debug)]
struct Rest {
    bytes: Vec<u8>,
    at: usize,
}

impl Rest {
    fn new(bytes: &[u8]) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes: bytes.to_vec(), at: 0 }))
    }
}

/// How decoding a piece of input ended.
enum Fed {
    /// All of it is decoded.
    All,
    /// The receiver stopped with this many bytes left.
    Stopped(Next, usize),
}

impl<T> Wire<T> {
    /// The socket after its upgrade, with the bytes that came behind the request.
    pub fn new(io: T, leftover: &[u8], decoder: Decoder) -> Self {
        Self { io, decoder, rest: Rest::new(leftover), begun: 0, unflushed: false }
    }

    /// The socket.
    pub fn io(&self) -> &T {
        &self.io
    }

    /// Whether a frame or a message is incomplete.
    pub fn is_mid_message(&self) -> bool {
        self.decoder.is_mid_message()
    }

    /// Whether a message or a control frame was completed since the last call; see [`Decoder::take_completed`].
    pub fn take_completed(&mut self) -> bool {
        self.decoder.take_completed()
    }

    /// Bytes of the queue's front frame that are out. Unless zero, that frame has to stay at the front: the peer cannot do without
    /// its rest. All frames behind it may be dropped.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Bytes of memory held for incomplete input.
    pub fn buffered(&self) -> usize {
        self.decoder.buffered() + self.rest.as_ref().map_or(0, |rest| rest.bytes.capacity())
    }

    fn feed(decoder: &mut Decoder, mut input: &mut [u8], receive: &mut impl FnMut(Event<'_>) -> Next) -> Result<Fed, Violation> {
        while let Some(event) = decoder.feed(&mut input)? {
            match receive(event) {
                Next::Go => {}
                stop => return Ok(Fed::Stopped(stop, input.len())),
            }
        }
        Ok(Fed::All)
    }
}

impl<T: Abort> Wire<T> {
    /// Cuts the connection as soon as this is dropped: the kernel forgets what it has not sent, instead of holding it for a peer that does not read.
    pub fn abort(&self) {
        self.io.abort();
    }
}

impl<T: AsyncRead + Unpin> Wire<T> {
    /// Reads and decodes at most `bytes` bytes, and hands each event to `receive`, which can end the turn.
    ///
    /// Pending: the socket has nothing more and will wake the task; or the turn is over for its bounds and the task is woken already;
    /// or `receive` said [`Next::Hold`] and the caller has to come back by itself. Not calling this is how a caller does not read.
    /// After a close frame or a violation what comes is read and ignored until [`End::Eof`].
    pub fn poll_turn(&mut self, cx: &mut Context<'_>, bytes: usize, mut receive: impl FnMut(Event<'_>) -> Next) -> Poll<End> {
        let mut budget = bytes;
        if let Err(stop) = self.feed_rest(&mut budget, &mut receive) {
            return stop.or_wake(cx);
        }
        buffers::with_read(bytes, |buffer| {
            while budget > 0 {
                let mut read = ReadBuf::new(&mut buffer[..budget]);
                if let Err(error) = ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
                    return Poll::Ready(End::Failed(error));
                }
                let input = read.filled_mut();
                if input.is_empty() {
                    return Poll::Ready(End::Eof);
                }
                budget -= input.len();
                match Self::feed(&mut self.decoder, input, &mut receive) {
                    Ok(Fed::All) => {}
                    Ok(Fed::Stopped(next, left)) => {
                        self.rest = Rest::new(&input[input.len() - left..]);
                        return Stop::Receiver(next).or_wake(cx);
                    }
                    Err(violation) => return Poll::Ready(End::Violation(violation)),
                }
            }
            Stop::Receiver(Next::Yield).or_wake(cx)
        })
    }

    /// First what is left from earlier.
    fn feed_rest(&mut self, budget: &mut usize, receive: &mut impl FnMut(Event<'_>) -> Next) -> Result<(), Stop> {
        let Some(rest) = &mut self.rest else { return Ok(()) };
        let end = rest.bytes.len().min(rest.at + *budget);
        let fed = Self::feed(&mut self.decoder, &mut rest.bytes[rest.at..end], receive);
        let left = match fed {
            Ok(Fed::Stopped(_, left)) => left,
            _ => 0,
        };
        *budget -= end - left - rest.at;
        rest.at = end - left;
        if rest.at == rest.bytes.len() {
            self.rest = None;
        }
        match fed {
            Ok(Fed::All) => Ok(()),
            Ok(Fed::Stopped(next, _)) => Err(Stop::Receiver(next)),
            Err(violation) => Err(Stop::Violation(violation)),
        }
    }
}

/// Why a turn is over before the socket was asked or drained.
enum Stop {
    Receiver(Next),
    Violation(Violation),
}

impl Stop {
    fn or_wake(self, cx: &Context<'_>) -> Poll<End> {
        match self {
            Self::Violation(violation) => return Poll::Ready(End::Violation(violation)),
            Self::Receiver(Next::Hold) => {}
            Self::Receiver(_) => cx.waker().wake_by_ref(),
        }
        Poll::Pending
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// Writes the queue's frames, each whole and in order, and takes those off that are out. Small ones are gathered into one write.
    /// The caller may hold a borrow of the queue meanwhile: nothing but the socket is called.
    pub fn poll_write<F: AsRef<[u8]>>(&mut self, cx: &mut Context<'_>, queue: &mut VecDeque<F>) -> Wrote {
        let mut bytes = 0;
        let state = loop {
            if queue.is_empty() {
                break self.poll_flush(cx);
            }
            match self.write_once(cx, queue) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => bytes += self.take_off(written, queue),
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        Wrote { bytes, state }
    }

    /// Ends this side of the connection. The peer sees it after all that was written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn write_once<F: AsRef<[u8]>>(&mut self, cx: &mut Context<'_>, queue: &VecDeque<F>) -> Poll<io::Result<usize>> {
        let Some(front) = queue.front() else { return Poll::Ready(Ok(0)) };
        let front = &front.as_ref()[self.begun..];
        let io = Pin::new(&mut self.io);
        let room = GATHER.saturating_sub(front.len());
        if queue.get(1).is_none_or(|second| second.as_ref().len() > room) {
            return io.poll_write(cx, front);
        }
        buffers::with_gather(|gather| {
            gather.extend_from_slice(front);
            for frame in queue.iter().skip(1).map(AsRef::as_ref) {
                if gather.len() + frame.len() > GATHER {
                    break;
                }
                gather.extend_from_slice(frame);
            }
            io.poll_write(cx, gather)
        })
    }

    /// Notes `written` bytes; returns the bytes of the frames that are out with them.
    fn take_off<F: AsRef<[u8]>>(&mut self, written: usize, queue: &mut VecDeque<F>) -> usize {
        self.unflushed = true;
        self.begun += written;
        let mut gone = 0;
        while let Some(size) = queue.front().map(|frame| frame.as_ref().len()).filter(|size| *size <= self.begun) {
            queue.pop_front();
            self.begun -= size;
            gone += size;
        }
        gone
    }
}
