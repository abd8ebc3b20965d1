//! A target whose requests the test reads and answers byte by byte.

use serde_json::Value;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(in crate::services) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A listening socket.
pub(in crate::services) struct Target {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Target {
    pub(in crate::services) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port"), tls: None }
    }

    /// At an address that nobody uses now.
    pub(in crate::services) async fn at(address: std::net::SocketAddr) -> Self {
        Self { listener: TcpListener::bind(address).await.expect("nobody listens there"), tls: None }
    }

    pub(in crate::services) async fn with_tls(config: ServerConfig) -> Self {
        Self { tls: Some(TlsAcceptor::from(Arc::new(config))), ..Self::new().await }
    }

    /// `host:port`.
    pub(in crate::services) fn address(&self) -> String {
        self.listener.local_addr().expect("bound").to_string()
    }

    pub(in crate::services) async fn accept(&self) -> Peer {
        let (socket, _) = soon("a connection", self.listener.accept()).await.expect("a connection");
        let Some(tls) = &self.tls else { return Peer::new(socket) };
        Peer::new(soon("TLS", tls.accept(socket)).await.expect("TLS"))
    }

    /// Whether nobody has connected.
    pub(in crate::services) async fn is_untouched(&self) -> bool {
        timeout(Duration::from_millis(50), self.listener.accept()).await.is_err()
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// A request.
pub(in crate::services) struct Received {
    /// Method and path.
    pub(in crate::services) line: String,
    pub(in crate::services) headers: HashMap<String, String>,
    pub(in crate::services) body: Vec<u8>,
}

impl Received {
    pub(in crate::services) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// One connection of the gateway.
pub(in crate::services) struct Peer {
    socket: Box<dyn Socket>,
    got: Vec<u8>,
}

impl Peer {
    fn new(socket: impl Socket + 'static) -> Self {
        Self { socket: Box::new(socket), got: Vec::new() }
    }

    pub(in crate::services) async fn request(&mut self) -> Received {
        let end = loop {
            if let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more().await, "closed before the request");
        };
        let head = String::from_utf8(self.got.drain(..end).collect()).expect("text");
        let mut lines = head.lines();
        let line = lines.next().expect("a line").trim_end_matches(" HTTP/1.1").to_owned();
        let headers: HashMap<_, _> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into())).collect();
        let length: usize = headers.get("content-length").map_or(0, |text: &String| text.parse().expect("a number"));
        while self.got.len() < length {
            assert!(self.more().await, "closed within the body");
        }
        Received { line, headers, body: self.got.drain(..length).collect() }
    }

    pub(in crate::services) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.expect("the gateway reads");
    }

    /// Answers with JSON.
    pub(in crate::services) async fn reply(&mut self, json: &str) {
        self.answer("200 OK", "application/json", json).await;
    }

    pub(in crate::services) async fn answer(&mut self, status: &str, media_type: &str, body: &str) {
        let length = body.len();
        self.send(format!("HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    /// Sends the same bytes until the gateway closes the connection. Returns how many were accepted.
    pub(in crate::services) async fn flood(&mut self, bytes: &[u8], at_most: usize) -> usize {
        let mut sent = 0;
        while sent < at_most && soon("the gateway", self.socket.write_all(bytes)).await.is_ok() {
            sent += bytes.len();
        }
        sent
    }

    /// Waits until the gateway closes the connection.
    pub(in crate::services) async fn closed(&mut self) {
        while self.more().await {}
    }

    async fn more(&mut self) -> bool {
        matches!(soon("the gateway", self.socket.read_buf(&mut self.got)).await, Ok(1..))
    }
}
