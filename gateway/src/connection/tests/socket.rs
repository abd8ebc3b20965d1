//! A socket whose peer is the test.

use crate::transport::Abort;
use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Both ends of the socket: the connection reads and writes, the test provides input and accepts output.
#[derive(Clone, Default)]
pub(super) struct Socket(Rc<RefCell<Ends>>);

/// The result of a read by the connection.
pub(super) enum Incoming {
    /// These bytes, in one read or several.
    Bytes(Vec<u8>),
    /// The peer has closed its sending side.
    Eof,
    /// The network connection was reset.
    Reset,
    /// A panic, as from a defect of the gateway.
    Panic,
}

#[derive(Default)]
struct Ends {
    incoming: VecDeque<Incoming>,
    outgoing: Vec<u8>,
    /// Number of bytes that the peer still accepts. `None`: no limit.
    room: Option<usize>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    shut: bool,
    aborted: bool,
}

impl Socket {
    fn ends(&self) -> RefMut<'_, Ends> {
        self.0.borrow_mut()
    }

    pub(super) fn feed(&self, incoming: Incoming) {
        let reader = {
            let mut ends = self.ends();
            ends.incoming.push_back(incoming);
            ends.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    /// Sets the number of bytes that the peer still accepts.
    pub(super) fn set_room(&self, room: Option<usize>) {
        let writer = {
            let mut ends = self.ends();
            ends.room = room;
            ends.writer.take()
        };
        writer.into_iter().for_each(Waker::wake);
    }

    /// Number of bytes that the connection has not read yet.
    pub(super) fn unread(&self) -> usize {
        let bytes = |incoming: &Incoming| if let Incoming::Bytes(bytes) = incoming { bytes.len() } else { 0 };
        self.ends().incoming.iter().map(bytes).sum()
    }

    /// Removes from the output the bytes that `parse` recognises. `parse` returns their number and its result.
    pub(super) fn take<R>(&self, parse: impl FnOnce(&[u8]) -> Option<(usize, R)>) -> Option<R> {
        let mut ends = self.ends();
        let (length, found) = parse(&ends.outgoing)?;
        ends.outgoing.drain(..length);
        Some(found)
    }

    /// Whether the connection has shut down its sending side.
    pub(super) fn is_shut(&self) -> bool {
        self.ends().shut
    }

    /// Whether the gateway has aborted the socket.
    pub(super) fn is_aborted(&self) -> bool {
        self.ends().aborted
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut ends = self.ends();
        match ends.incoming.pop_front() {
            None => {
                ends.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Some(Incoming::Bytes(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
                buffer.put_slice(&bytes);
                if !rest.is_empty() {
                    ends.incoming.push_front(Incoming::Bytes(rest));
                }
            }
            Some(Incoming::Eof) => ends.incoming.push_front(Incoming::Eof),
            Some(Incoming::Reset) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(Incoming::Panic) => panic!("a panic that the test requested"),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut ends = self.ends();
        let taken = ends.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if taken == 0 {
            ends.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ends.room = ends.room.map(|room| room - taken);
        ends.outgoing.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends().shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Abort for Socket {
    fn abort(&self) {
        self.ends().aborted = true;
    }
}
