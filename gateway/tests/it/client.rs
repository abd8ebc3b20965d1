//! A client that sends any bytes, right or wrong.

use super::echo::{Echo, run};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};

/// The test key of RFC 6455, section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a separate server on a free port. It runs until the test process ends.
pub(crate) fn serve(echo: Echo) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { run(listener, echo).expect("it listens").await })
    });
    address
}

/// The server that most tests share.
pub(crate) fn shared() -> SocketAddr {
    static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| serve(Echo { message_timeout: Duration::from_secs(30), ..Echo::default() }));
    *SERVER
}

/// A frame that the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    got: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("settable");
        socket.set_nodelay(true).expect("settable");
        Self { socket, tls: None, got: Vec::new() }
    }

    /// Begins TLS with the server of this name. What is sent next comes behind the handshake.
    pub(crate) fn with_tls(mut self, config: Arc<ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        self.tls = Some(Box::new(ClientConnection::new(config, name).expect("it can begin")));
        self
    }

    /// The same, with these bytes in front of the first message, in one segment.
    pub(crate) fn with_tls_behind(self, first: &[u8], config: Arc<ClientConfig>, name: &str) -> Self {
        let mut client = self.with_tls(config, name);
        let mut bytes = first.to_vec();
        client.tls.as_mut().expect("with TLS").write_tls(&mut bytes).expect("in memory");
        client.socket.write_all(&bytes).expect("the server reads");
        client
    }

    /// The first message of a handshake.
    pub(crate) fn first_message(config: Arc<ClientConfig>, name: &str) -> Vec<u8> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut bytes = Vec::new();
        ClientConnection::new(config, name).expect("it can begin").write_tls(&mut bytes).expect("in memory");
        bytes
    }

    /// Whether anything arrives within this time.
    pub(crate) fn is_answered_within(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).expect("settable");
        let is_answered = self.socket.peek(&mut [0]).is_ok_and(|count| count > 0);
        self.socket.set_read_timeout(Some(PATIENCE)).expect("settable");
        is_answered
    }

    /// Sends a request and reads the head of its answer. Fails if the server closes the connection.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<String> {
        self.write_all(request)?;
        let mut chunk = vec![0; 4096];
        let count = self.read(&mut chunk)?;
        Ok(String::from_utf8_lossy(&chunk[..count]).into_owned())
    }

    /// Finishes the handshake. Fails if the server refuses it.
    pub(crate) fn handshake(&mut self) -> io::Result<&ClientConnection> {
        let tls = self.tls.as_mut().expect("with TLS");
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        Ok(tls)
    }

    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.socket).read(chunk),
            None => self.socket.read(chunk),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.socket).write_all(bytes),
            None => self.socket.write_all(bytes),
        }
    }

    /// A client that is connected and has upgraded to WebSocket.
    pub(crate) fn upgraded(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.send(handshake("/").as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 101 "));
        client
    }

    /// Sends bytes. Ignores a closed connection, because some tests make the server close it.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.write_all(bytes) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => panic!("{error}"),
            _ => {}
        }
    }

    /// Sends until the server closes the connection.
    pub(crate) fn send_until_cut(&mut self) {
        let started = Instant::now();
        while self.write_all(&[0; 4096]).is_ok() {
            assert!(started.elapsed() < PATIENCE, "the server reads forever");
        }
    }

    /// Shuts down the sending side.
    pub(crate) fn finish(&mut self) {
        self.socket.shutdown(Shutdown::Write).ok();
    }

    /// Reads the response's head, up to the empty line.
    pub(crate) fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.got.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head is text");
            }
            assert!(self.more(), "closed within the head: {:?}", String::from_utf8_lossy(&self.got));
        }
    }

    /// Reads the next response, which has a `Content-Length`. Returns head and body.
    pub(crate) fn answer(&mut self) -> (String, String) {
        let head = self.head();
        let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        let length = length.unwrap_or_else(|| panic!("no length in {head}"));
        while self.got.len() < length {
            assert!(self.more(), "closed within the body");
        }
        let body = self.got.drain(..length).collect();
        (head, String::from_utf8(body).expect("text"))
    }

    /// Reads this many bytes, and drops them.
    pub(crate) fn skip(&mut self, bytes: usize) {
        while self.got.len() < bytes {
            assert!(self.more(), "closed within the body");
        }
        self.got.drain(..bytes);
    }

    /// Reads the response's head. `None` if the server closes the connection instead.
    pub(crate) fn try_head(&mut self) -> Option<String> {
        (!self.got.is_empty() || self.socket.peek(&mut [0]).is_ok_and(|count| count > 0)).then(|| self.head())
    }

    /// Reads until these bytes have arrived, and returns everything up to them.
    pub(crate) fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.got.windows(end.len()).position(|part| part == end) {
                return self.got.drain(..at + end.len()).collect();
            }
            assert!(self.more(), "closed before {}: {}", end.escape_ascii(), self.got.escape_ascii());
        }
    }

    /// Reads until the server closes the connection, which must not be a reset.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.got)
    }

    /// Reads the next frame. `None` if the server has closed the connection.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            if !self.more() {
                assert_eq!(self.got, b"", "closed within a frame");
                return None;
            }
        }
    }

    /// Waits until the server closes the connection. Returns whether that was a reset.
    pub(crate) fn reset(&mut self) -> bool {
        loop {
            match self.read(&mut [0; 512]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    /// Reads more bytes. Returns false at the end of the stream.
    fn more(&mut self) -> bool {
        let mut chunk = vec![0; 64 * 1024];
        let count = self.read(&mut chunk).expect("the server answers, and does not reset");
        self.got.extend_from_slice(&chunk[..count]);
        count > 0
    }

    /// Parses a frame: complete, not masked, with its length in the shortest form.
    fn parse(&mut self) -> Option<Frame> {
        let [first, second, ..] = self.got[..] else { return None };
        assert_eq!(first & 0xF0, 0x80, "whole, and no reserved bits");
        assert_eq!(second & 0x80, 0, "not masked");
        let (length, at) = match second {
            126 => (u64::from(u16::from_be_bytes(*self.got[2..].first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*self.got[2..].first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        assert!(at == 2 || length > if at == 4 { 125 } else { 0xFFFF }, "not the shortest form");
        let end = at + length as usize;
        if self.got.len() < end {
            return None;
        }
        let frame = self.got.drain(..end).skip(at).collect();
        Some(Frame { opcode: first & 0x0F, payload: frame })
    }
}

/// A correct upgrade request.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// A masked frame with this first byte and its length in the shortest form.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..=125 => frame.push(0x80 | n as u8),
        n @ 126..=0xFFFF => {
            frame.push(0x80 | 0x7E);
            frame.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            frame.push(0x80 | 0x7F);
            frame.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    let key = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
