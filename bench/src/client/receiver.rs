//! The receiving side of a connection. Messages are read in the buffer in which they were received.

use crate::result::Result;
use std::{
    cell::RefCell,
    io::{Error, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Connections from one source address; well below the number of ephemeral ports.
pub(crate) const CONNECTIONS_PER_ADDRESS: usize = 10_000;
/// Maximum number of bytes in one read.
pub(crate) const READ_SIZE: usize = 256 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// A connection behind the head of an HTTP response.
pub(crate) struct Receiver {
    pub(crate) stream: TcpStream,
    /// The received beginning of an incomplete message.
    partial: Vec<u8>,
}

/// The address from which connection number `number` comes: 127.0.0.1 and those after it.
pub(crate) fn source(number: usize) -> SocketAddr {
    let address = u32::from(Ipv4Addr::LOCALHOST) + (number / CONNECTIONS_PER_ADDRESS) as u32;
    SocketAddr::new(IpAddr::V4(address.into()), 0)
}

/// The server closed the connection.
#[derive(Debug)]
pub(crate) struct Closed;

impl Receiver {
    /// Opens connection number `number`, sends a request, and reads the head of the response, which must have this status. With a small
    /// `receive_buffer` the kernel accepts little data for a client that does not read.
    pub(crate) async fn open(server: SocketAddr, number: usize, receive_buffer: Option<u32>, request: &[u8], status: u16) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(size) = receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        socket.bind(source(number))?;
        let mut stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request).await?;
        let mut partial = Vec::new();
        let head_len = loop {
            if let Some(at) = partial.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let mut bytes = [0; 512];
            match stream.read(&mut bytes).await? {
                0 => return Err("the server closed before it answered the request".into()),
                count => partial.extend_from_slice(&bytes[..count]),
            }
        };
        if !partial.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) {
            return Err(String::from_utf8_lossy(&partial).into_owned().into());
        }
        partial.drain(..head_len);
        Ok(Self { stream, partial })
    }

    pub(crate) fn local_port(&self) -> Result<u16> {
        Ok(self.stream.local_addr()?.port())
    }

    /// Waits for bytes, then calls `take` with all bytes that it has not taken before. It returns how many it takes. Reads at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: usize, mut take: impl FnMut(&[u8]) -> usize) -> Result<(), Closed> {
        loop {
            self.stream.readable().await.map_err(|_| Closed)?;
            let count = READ_BUFFER.with_borrow_mut(|scratch| {
                let kept = self.partial.len();
                if scratch.len() < kept + limit {
                    scratch.resize(kept + limit, 0);
                }
                let count = match self.stream.try_read(&mut scratch[kept..kept + limit]) {
                    Ok(0) => return Err(Error::from(ErrorKind::UnexpectedEof)),
                    other => other?,
                };
                scratch[..kept].copy_from_slice(&self.partial);
                let received = &scratch[..kept + count];
                let rest = &received[take(received)..];
                self.partial.clear();
                self.partial.extend_from_slice(rest);
                if rest.is_empty() {
                    self.partial = Vec::new();
                }
                Ok(count)
            });
            match count {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Err(Closed),
            }
        }
    }

    /// Calls `take` with what came with the head of the response.
    pub(crate) fn take_first(&mut self, take: impl FnOnce(&[u8]) -> usize) {
        let taken = take(&self.partial);
        self.partial.drain(..taken);
    }
}
