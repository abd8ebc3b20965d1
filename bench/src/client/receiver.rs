//! The receiving side of a connection. Messages are read in the buffer in which they were received.

use super::{endpoint::Endpoint, socket::Socket};
use crate::result::Result;
use std::{cell::RefCell, future::poll_fn, pin::Pin, task::Poll};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

/// Maximum number of bytes in one read.
pub(crate) const READ_SIZE: usize = 256 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// A connection behind the head of an HTTP response.
pub(crate) struct Receiver {
    pub(crate) socket: Socket,
    /// The received beginning of an incomplete message.
    partial: Vec<u8>,
}

/// The server closed the connection.
#[derive(Debug)]
pub(crate) struct Closed;

impl Receiver {
    /// Opens connection number `number`, sends a request, and reads the head of the response, which must have this status. With a small
    /// `receive_buffer` the kernel accepts little data for a client that does not read.
    pub(crate) async fn open(endpoint: &Endpoint, number: usize, receive_buffer: Option<u32>, request: &[u8], status: u16) -> Result<Self> {
        let mut socket = endpoint.connect(number, receive_buffer).await?;
        socket.write_all(request).await?;
        let mut partial = Vec::new();
        let head_len = loop {
            if let Some(at) = partial.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let mut bytes = [0; 512];
            match socket.read(&mut bytes).await? {
                0 => return Err("the server closed before it answered the request".into()),
                count => partial.extend_from_slice(&bytes[..count]),
            }
        };
        if !partial.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) {
            return Err(String::from_utf8_lossy(&partial).into_owned().into());
        }
        partial.drain(..head_len);
        Ok(Self { socket, partial })
    }

    pub(crate) fn local_port(&self) -> Result<u16> {
        Ok(self.socket.local_address()?.port())
    }

    /// Waits for bytes, then calls `take` with all bytes that it has not taken before. It returns how many it takes. Reads at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: usize, mut take: impl FnMut(&[u8]) -> usize) -> Result<(), Closed> {
        let Self { socket, partial } = self;
        let poll = poll_fn(|cx| {
            READ_BUFFER.with_borrow_mut(|scratch| {
                let kept = partial.len();
                if scratch.len() < kept + limit {
                    scratch.resize(kept + limit, 0);
                }
                let mut into = ReadBuf::new(&mut scratch[kept..kept + limit]);
                let read = Pin::new(&mut *socket).poll_read(cx, &mut into);
                let count = into.filled().len();
                match read {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) if count > 0 => {}
                    Poll::Ready(_) => return Poll::Ready(Err(Closed)),
                }
                scratch[..kept].copy_from_slice(partial);
                let received = &scratch[..kept + count];
                let rest = &received[take(received)..];
                partial.clear();
                partial.extend_from_slice(rest);
                if rest.is_empty() {
                    *partial = Vec::new();
                }
                Poll::Ready(Ok(()))
            })
        });
        poll.await
    }

    /// Calls `take` with what came with the head of the response.
    pub(crate) fn take_first(&mut self, take: impl FnOnce(&[u8]) -> usize) {
        let taken = take(&self.partial);
        self.partial.drain(..taken);
    }
}
