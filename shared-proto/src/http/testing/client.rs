//! A client that sends any bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// What follows.
    pub body: String,
}

/// One connection.
pub struct Client {
    socket: TcpStream,
    got: Vec<u8>,
}

impl Client {
    /// Connected.
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the server listens")
    }

    /// Connected, where somebody listens.
    pub fn try_connect(address: SocketAddr) -> Option<Self> {
        let socket = TcpStream::connect(address).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).expect("settable");
        socket.set_nodelay(true).expect("settable");
        Some(Self { socket, got: Vec::new() })
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).expect("the connection stands");
    }

    /// Sends these bytes, or as many as the server takes.
    pub fn send_some(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Sends a request and reads its answer; none where the server closes instead.
    pub fn try_ask(&mut self, request: impl AsRef<[u8]>) -> Option<Answer> {
        self.send_some(request.as_ref());
        (!self.got.is_empty() || self.more()).then(|| self.answer())
    }

    /// Waits until the server closes, whatever it says before it does.
    pub fn ended(&mut self) {
        while self.more() {}
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// The next answer. One with 100 is left out.
    pub fn answer(&mut self) -> Answer {
        loop {
            let head = self.head();
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {head}"));
            if status == 100 {
                continue;
            }
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().expect("a number"));
            while self.got.len() < length {
                assert!(self.more(), "closed within the body");
            }
            let body = self.got.drain(..length).collect();
            return Answer { status, head, body: String::from_utf8(body).expect("text") };
        }
    }

    /// Waits for the `100 Continue` alone.
    pub fn continued(&mut self) {
        assert!(self.head().starts_with("http/1.1 100 "));
    }

    fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.got.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
            }
            assert!(self.more(), "closed within the head: {:?}", String::from_utf8_lossy(&self.got));
        }
    }

    /// Whether the server closes now, and sends nothing before it does.
    pub fn is_closed(&mut self) -> bool {
        !self.more()
    }

    fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(count) => {
                self.got.extend_from_slice(&chunk[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}
