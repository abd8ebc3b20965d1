//! An HTTP client that can send arbitrary bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Only a failing test waits this long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An HTTP response.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// One connection.
pub struct Client {
    socket: TcpStream,
    /// Received bytes that no answer contains yet.
    received: Vec<u8>,
}

impl Client {
    /// Connects to a server.
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the server listens")
    }

    /// Connects to a server. `None` if no server listens.
    pub fn try_connect(address: SocketAddr) -> Option<Self> {
        let socket = TcpStream::connect(address).ok()?;
        socket.set_read_timeout(Some(TIMEOUT)).expect("settable");
        socket.set_nodelay(true).expect("settable");
        Some(Self { socket, received: Vec::new() })
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).expect("the connection is open");
    }

    /// Sends these bytes, or as many as the server accepts.
    pub fn send_some(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Sends a request and reads the answer. `None` if the server closes the connection instead.
    pub fn try_request(&mut self, request: impl AsRef<[u8]>) -> Option<Answer> {
        self.send_some(request.as_ref());
        (!self.received.is_empty() || self.receive()).then(|| self.answer())
    }

    /// Everything that the server sends, up to the end of this text.
    pub fn receive_until(&mut self, end: &str) -> String {
        loop {
            let found = self.received.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                let all: Vec<u8> = self.received.drain(..at + end.len()).collect();
                return String::from_utf8_lossy(&all).into_owned();
            }
            assert!(self.receive(), "the connection ended before {end:?}: {}", self.received.escape_ascii());
        }
    }

    /// Waits until the server closes the connection. Ignores everything that it sends before.
    pub fn wait_closed(&mut self) {
        while self.receive() {}
    }

    /// Sends a request and reads the answer.
    pub fn request(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Reads the next answer. Skips those with status 100.
    pub fn answer(&mut self) -> Answer {
        loop {
            let head = self.head();
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {head}"));
            if status == 100 {
                continue;
            }
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().expect("a number"));
            while self.received.len() < length {
                assert!(self.receive(), "closed within the body");
            }
            let body = self.received.drain(..length).collect();
            return Answer { status, head, body: String::from_utf8(body).expect("text") };
        }
    }

    /// Waits for a `100 Continue`.
    pub fn wait_continue(&mut self) {
        assert!(self.head().starts_with("http/1.1 100 "));
    }

    fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
            }
            assert!(self.receive(), "closed within the head: {:?}", String::from_utf8_lossy(&self.received));
        }
    }

    /// Whether the server closes the connection without sending anything.
    pub fn is_closed(&mut self) -> bool {
        !self.receive()
    }

    /// Waits for bytes. Returns `false` if the server has closed the connection.
    fn receive(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}
