//! One WebSocket or stream: reads input in turns, and combines frames into few writes.

#[cfg(test)]
mod tests;

use super::{buffers, socket::Abort};
use gateway_core::protocol::websocket::{Decoder, Event, Violation};
use std::{
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Largest write that combines several frames. A frame of this size or more is written alone, without a copy.
pub const GATHER_BYTES: usize = 64 * 1024;

/// Largest read of [`Wire::poll_input`], in bytes. Most commands are smaller.
const INPUT_BYTES: usize = 256;

/// The reaction of the receiver of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Continue with the next event.
    Continue,
    /// End the turn. The task is woken for another turn.
    Yield,
    /// End the turn without waking the task: the receiver is full or finished. The caller calls [`Wire::poll_turn`] again later.
    Pause,
}

/// Why no more input will come.
#[derive(Debug)]
pub enum End {
    /// The peer closed its side of the socket.
    Eof,
    /// The peer violated the protocol. The caller closes with the violation's close code. Further input is read and ignored.
    Violation(Violation),
    /// The socket failed.
    Failed(io::Error),
}

/// Result of [`Wire::poll_write`].
#[derive(Debug)]
pub struct WriteResult {
    /// Size of the frames that were removed from the queue, in bytes.
    pub bytes: usize,
    /// Number of frames at the front of the queue that are begun: the peer expects all of them. The frames behind them may be dropped.
    pub begun: usize,
    /// `Ready` if the queue is empty and flushed. `Pending` if the socket accepts no more now; it will wake the task.
    pub state: Poll<io::Result<()>>,
}

/// The server's side of a WebSocket, or of an HTTP response that does not end. Input of the latter is read and ignored.
///
/// Input is read in turns, so that a peer that sends without a pause cannot block the worker. A turn reads a limited number of bytes into a
/// buffer that all connections of the thread share. It then wakes its task and returns. A connection uses memory for input only while a
/// message is incomplete, after the receiver ended a turn early, or while its input waits for a turn.
///
/// The caller owns the queue of frames. A frame leaves it when the socket has flushed all of it, so that what TLS has taken and not sent still counts.
/// A `Wire` stores only how many bytes of the queue the socket has taken.
#[derive(Debug)]
pub struct Wire<T> {
    io: T,
    /// `None`: there is no input to decode.
    decoder: Option<Decoder>,
    /// Input that was read but not decoded. Usually none.
    unread: Option<Box<Unread>>,
    /// Number of bytes at the front of the queue that the socket has taken.
    taken: usize,
    /// Whether the socket has taken bytes since the last flush.
    unflushed: bool,
    /// Whether the last turn reached its limit.
    has_more: bool,
}

struct Unread {
    bytes: Vec<u8>,
    at: usize,
}

/// Without what the client sent: it may be a secret.
impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("bytes", &(self.bytes.len() - self.at)).finish()
    }
}

impl Unread {
    fn new(bytes: &[u8]) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes: bytes.to_vec(), at: 0 }))
    }
}

/// How the decoding of a piece of input ended.
enum Decoded {
    /// All input is decoded.
    All,
    /// The receiver stopped, with this number of bytes left.
    Stopped(Next, usize),
}

impl<T> Wire<T> {
    /// Takes a socket after its upgrade, and the bytes that followed the request.
    pub fn new(io: T, leftover: &[u8], decoder: Decoder) -> Self {
        Self { io, decoder: Some(decoder), unread: Unread::new(leftover), taken: 0, unflushed: false, has_more: false }
    }

    /// Takes a socket after the head of a response that does not end.
    pub fn stream(io: T) -> Self {
        Self { io, decoder: None, unread: None, taken: 0, unflushed: false, has_more: false }
    }

    /// The socket.
    pub fn io(&self) -> &T {
        &self.io
    }

    /// Sets the largest size of a message, in bytes. It must not be lowered.
    pub fn allow_messages(&mut self, of_size: u32) {
        if let Some(decoder) = &mut self.decoder {
            decoder.allow_messages(of_size);
        }
    }

    /// Whether a frame or a message is incomplete.
    pub fn is_mid_message(&self) -> bool {
        self.decoder.as_ref().is_some_and(Decoder::is_mid_message)
    }

    /// Whether a frame or message became complete since the last call; see [`Decoder::take_completed`].
    pub fn take_completed(&mut self) -> bool {
        self.decoder.as_mut().is_some_and(Decoder::take_completed)
    }

    /// Whether the last turn reached its limit, so that there may be more input.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Reads further messages without keeping them, and frees the memory for the one that was incomplete. Control frames are still events.
    pub fn ignore_messages(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            decoder.ignore_messages();
        }
    }

    /// Reads and ignores all further input, and frees the memory for what was incomplete.
    pub fn discard_input(&mut self) {
        (self.decoder, self.unread) = (None, None);
    }

    /// Memory used for incomplete input, in bytes.
    pub fn buffered(&self) -> usize {
        self.decoder.as_ref().map_or(0, Decoder::buffered) + self.unread.as_ref().map_or(0, |unread| unread.bytes.capacity())
    }

    fn decode(
        decoder: &mut Option<Decoder>,
        mut input: &mut [u8],
        receive: &mut impl FnMut(Event<'_>) -> Next,
    ) -> Result<Decoded, Violation> {
        let Some(decoder) = decoder else { return Ok(Decoded::All) };
        while let Some(event) = decoder.feed(&mut input)? {
            match receive(event) {
                Next::Continue => {}
                stop => return Ok(Decoded::Stopped(stop, input.len())),
            }
        }
        Ok(Decoded::All)
    }
}

impl<T: Abort> Wire<T> {
    /// Makes the drop of this value reset the connection. The kernel then discards unsent bytes, instead of keeping them for a peer that does
    /// not read.
    pub fn abort(&self) {
        self.io.abort();
    }
}

impl<T: AsyncRead + Unpin> Wire<T> {
    /// Reads and decodes at most `bytes` bytes, and passes each event to `receive`, which can end the turn. A caller that wants no input does
    /// not call this. After a close frame or a violation, further input is read and ignored until [`End::Eof`].
    ///
    /// `Pending` has three causes:
    /// - The socket has no more input. It will wake the task.
    /// - The turn reached its limit. The task is already woken.
    /// - `receive` returned [`Next::Pause`]. The caller must call this again.
    pub fn poll_turn(&mut self, cx: &mut Context<'_>, bytes: usize, mut receive: impl FnMut(Event<'_>) -> Next) -> Poll<End> {
        let mut budget = bytes;
        self.has_more = false;
        if let Err(stop) = self.decode_unread(&mut budget, &mut receive) {
            return self.end_turn(stop, cx);
        }
        buffers::with_read(bytes, |buffer| {
            while budget > 0 {
                let input = match ready!(self.poll_read(cx, &mut buffer[..budget])) {
                    Ok([]) => return Poll::Ready(End::Eof),
                    Ok(input) => input,
                    Err(error) => return Poll::Ready(End::Failed(error)),
                };
                budget -= input.len();
                match Self::decode(&mut self.decoder, input, &mut receive) {
                    Ok(Decoded::All) => {}
                    Ok(Decoded::Stopped(next, left)) => {
                        self.unread = Unread::new(&input[input.len() - left..]);
                        return self.end_turn(Stop::Receiver(next), cx);
                    }
                    Err(violation) => return Poll::Ready(End::Violation(violation)),
                }
            }
            self.end_turn(Stop::Receiver(Next::Yield), cx)
        })
    }

    /// Waits until the next turn has input: reads a few bytes of it, and keeps them for the decoder. False: the peer closed its side of the socket.
    pub fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.unread.is_some() {
            return Poll::Ready(Ok(true));
        }
        let mut buffer = [0; INPUT_BYTES];
        let input = ready!(self.poll_read(cx, &mut buffer))?;
        if self.decoder.is_some() {
            self.unread = Unread::new(input);
        }
        Poll::Ready(Ok(!input.is_empty()))
    }

    /// Reads once. Nothing: the peer closed its side of the socket.
    fn poll_read<'a>(&mut self, cx: &mut Context<'_>, buffer: &'a mut [u8]) -> Poll<io::Result<&'a mut [u8]>> {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        let length = read.filled().len();
        Poll::Ready(Ok(&mut buffer[..length]))
    }

    fn end_turn(&mut self, stop: Stop, cx: &Context<'_>) -> Poll<End> {
        match stop {
            Stop::Violation(violation) => return Poll::Ready(End::Violation(violation)),
            Stop::Receiver(Next::Pause) => {}
            Stop::Receiver(_) => {
                self.has_more = true;
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    /// Decodes input that an earlier turn read but did not decode.
    fn decode_unread(&mut self, budget: &mut usize, receive: &mut impl FnMut(Event<'_>) -> Next) -> Result<(), Stop> {
        let Some(unread) = &mut self.unread else { return Ok(()) };
        let end = unread.bytes.len().min(unread.at + *budget);
        let decoded = Self::decode(&mut self.decoder, &mut unread.bytes[unread.at..end], receive);
        let left = match decoded {
            Ok(Decoded::Stopped(_, left)) => left,
            _ => 0,
        };
        *budget -= end - left - unread.at;
        unread.at = end - left;
        if unread.at == unread.bytes.len() {
            self.unread = None;
        }
        match decoded {
            Ok(Decoded::All) => Ok(()),
            Ok(Decoded::Stopped(next, _)) => Err(Stop::Receiver(next)),
            Err(violation) => Err(Stop::Violation(violation)),
        }
    }
}

/// Why a turn ended before the socket had no more input.
enum Stop {
    Receiver(Next),
    Violation(Violation),
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// Writes the frames of the queue in order, and removes those that are flushed. Small frames are combined into one write. Takes the next
    /// frames only after a flush.
    ///
    /// This calls only the socket, so the caller may keep the queue borrowed. Between two calls the caller must not remove frames that are
    /// [begun](WriteResult::begun).
    pub fn poll_write<F: AsRef<[u8]>>(&mut self, cx: &mut Context<'_>, queue: &mut VecDeque<F>) -> WriteResult {
        let mut bytes = 0;
        let state = loop {
            match self.poll_flush(cx) {
                Poll::Ready(Ok(())) => bytes += self.remove_taken(queue),
                unfinished => break unfinished,
            }
            if queue.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match self.write_once(cx, queue) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => {
                    self.unflushed = true;
                    self.taken += taken;
                }
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        WriteResult { bytes, begun: self.begun(queue), state }
    }

    /// Closes this side of the connection. The peer receives all written bytes first.
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
        let front = &front.as_ref()[self.taken..];
        let io = Pin::new(&mut self.io);
        let room = GATHER_BYTES.saturating_sub(front.len());
        if queue.get(1).is_none_or(|second| second.as_ref().len() > room) {
            return io.poll_write(cx, front);
        }
        buffers::with_gather(|gather| {
            gather.extend_from_slice(front);
            for frame in queue.iter().skip(1).map(AsRef::as_ref) {
                if gather.len() + frame.len() > GATHER_BYTES {
                    break;
                }
                gather.extend_from_slice(frame);
            }
            io.poll_write(cx, gather)
        })
    }

    /// Removes the frames that the socket has taken completely. Returns the size of these frames.
    fn remove_taken<F: AsRef<[u8]>>(&mut self, queue: &mut VecDeque<F>) -> usize {
        let mut removed = 0;
        while let Some(size) = queue.front().map(|frame| frame.as_ref().len()).filter(|size| *size <= self.taken) {
            queue.pop_front();
            self.taken -= size;
            removed += size;
        }
        removed
    }

    /// Number of frames of which the socket has taken a part, or all.
    fn begun<F: AsRef<[u8]>>(&self, queue: &VecDeque<F>) -> usize {
        let mut left = self.taken;
        let is_begun = |frame: &&F| {
            let begun = left > 0;
            left = left.saturating_sub(frame.as_ref().len());
            begun
        };
        queue.iter().take_while(is_begun).count()
    }
}
