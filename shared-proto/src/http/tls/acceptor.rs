//! The handshakes of a listener.

use super::socket::{BUFFER_BYTES, Socket, TlsSocket};
use crate::http::errors::{Cause, Fault};
use bytes::{Buf as _, BytesMut};
use rustls::HandshakeKind;
use rustls::server::{Accepted, AcceptedAlert, Acceptor, ServerConfig};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

/// Time for a refused client to read why, and to close its side.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// TLS of a listener.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The configuration of new connections. Open connections keep theirs.
    pub configs: watch::Receiver<Arc<ServerConfig>>,
    /// Time for the first message of a client; as much again until its handshake may begin, and for the rest of the handshake.
    pub handshake_timeout: Duration,
    /// Permits for handshakes. A handshake takes one as soon as the first message of the client is there, so a silent client has none.
    pub handshakes: Arc<Semaphore>,
    /// Counts the finished handshakes.
    pub counts: Arc<HandshakeCounts>,
}

/// The finished handshakes of a listener.
#[derive(Debug, Default)]
pub struct HandshakeCounts {
    full: AtomicU64,
    resumed: AtomicU64,
}

impl HandshakeCounts {
    /// Each kind of handshake, as the label in metrics, with its number.
    pub fn counts(&self) -> [(&'static str, u64); 2] {
        [("full", self.full.load(Relaxed)), ("resumed", self.resumed.load(Relaxed))]
    }

    fn count(&self, kind: Option<HandshakeKind>) {
        let counter = if kind == Some(HandshakeKind::Resumed) { &self.resumed } else { &self.full };
        counter.fetch_add(1, Relaxed);
    }
}

/// A handshake that failed, with the socket, which may have an alert for the client in it.
pub(in crate::http) struct Failed {
    pub(in crate::http) fault: Fault,
    io: Option<TcpStream>,
}

impl Failed {
    /// Closes the socket behind the alert.
    pub(in crate::http) async fn end(self) {
        if let Some(mut io) = self.io {
            // The result does not matter: the socket is dropped next.
            let _ = timeout(REFUSAL_TIME, end(&mut io)).await;
        }
    }
}

impl Tls {
    /// Performs the handshake with a client whose `first` bytes were already read.
    pub(in crate::http) async fn accept(&self, io: TcpStream, first: BytesMut) -> Result<Socket, Failed> {
        let stream = self.handshake(io, first).await?;
        self.counts.count(stream.get_ref().1.handshake_kind());
        Ok(Socket::Tls(Box::new(TlsSocket::new(stream))))
    }

    async fn handshake(&self, mut io: TcpStream, first: BytesMut) -> Result<TlsStream<TcpStream>, Failed> {
        let limit = self.handshake_timeout;
        let late = |cause, what: &str| Failed { fault: Fault::Refused(cause, format!("{what} within {limit:?}")), io: None };
        let accepted = match timeout(limit, first_message(&mut io, first)).await {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(fault)) => return Err(Failed { fault, io: Some(io) }),
            Err(_) => return Err(late(Cause::TlsTimeout, "the client did not begin the TLS handshake")),
        };
        let Ok(Ok(_permit)) = timeout(limit, self.handshakes.acquire()).await else {
            return Err(late(Cause::TlsNoRoom, "too many TLS handshakes are in progress, and none of them ended"));
        };
        let config = self.configs.borrow().clone();
        // A larger buffer would hide unsent bytes from whoever limits them.
        let begun = StartHandshake::from_parts(accepted, io).into_stream_with(config, |tls| tls.set_buffer_limit(Some(BUFFER_BYTES)));
        match timeout(limit, begun.into_fallible()).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err((error, io))) => Err(Failed { fault: fault_of(&error), io: Some(io) }),
            Err(_) => Err(late(Cause::TlsTimeout, "the TLS handshake did not end")),
        }
    }
}

/// Reads the first message of a client (`ClientHello`).
async fn first_message(io: &mut TcpStream, mut bytes: BytesMut) -> Result<Accepted, Fault> {
    let mut acceptor = Acceptor::default();
    let mut has_begun = !bytes.is_empty();
    loop {
        while !bytes.is_empty() {
            match acceptor.read_tls(&mut &bytes[..]).map_err(|error| fault_of(&error))? {
                0 => return Err(Fault::Refused(Cause::TlsHandshake, "the first message of the client is too long".into())),
                count => bytes.advance(count),
            }
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, alert)) => {
                tell(io, alert).await;
                return Err(fault_of_tls(&error));
            }
        }
        match io.read_buf(&mut bytes).await {
            Ok(0) if has_begun => return Err(Fault::Refused(Cause::Broken, "the connection ended within the TLS handshake".into())),
            Ok(0) => return Err(Fault::Closed),
            Ok(_) => has_begun = true,
            Err(error) => return Err(fault_of(&error)),
        }
    }
}

/// Sends an alert, unless the client is gone.
async fn tell(io: &mut TcpStream, mut alert: AcceptedAlert) {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = alert.write_all(&mut bytes);
    let _ = timeout(REFUSAL_TIME, io.write_all(&bytes)).await;
}

/// Closes this side, and reads until the client closes its side: if the socket had unread input, the kernel would discard the alert.
async fn end(io: &mut TcpStream) -> io::Result<()> {
    io.shutdown().await?;
    let mut ignored = [0; 512];
    while io.read(&mut ignored).await? > 0 {}
    Ok(())
}

fn fault_of(error: &io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => fault_of_tls(error),
        None => Fault::Refused(Cause::Broken, error.to_string()),
    }
}

fn fault_of_tls(error: &rustls::Error) -> Fault {
    use rustls::Error::{InvalidCertificate, NoCertificatesPresented};
    let cause = match error {
        NoCertificatesPresented | InvalidCertificate(_) => Cause::TlsCertificate,
        _ => Cause::TlsHandshake,
    };
    Fault::Refused(cause, error.to_string())
}
