//! The socket of a client, with or without TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Largest number of bytes that TLS takes before the socket takes them: one record (RFC 8446, section 5.1).
pub(super) const BUFFER_BYTES: usize = 16 * 1024;

/// The certificate of a client, in DER. Handlers find it in the data of the connection.
#[derive(Clone, Debug)]
pub struct PeerCertificate(pub Box<[u8]>);

/// The socket of a client.
#[derive(Debug)]
pub enum Socket {
    /// Bytes pass as they are.
    Plain(TcpStream),
    /// Bytes pass through TLS. The handshake is finished.
    Tls(Box<TlsSocket>),
}

impl Socket {
    /// The socket of the operating system.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(io) => io,
            Self::Tls(tls) => tls.0.get_ref().0,
        }
    }

    /// The certificate that the client showed, which the handshake has verified. None: the listener asked for none.
    pub fn peer_certificate(&self) -> Option<PeerCertificate> {
        let Self::Tls(tls) = self else { return None };
        let certificates = tls.0.get_ref().1.peer_certificates()?;
        certificates.first().map(|own| PeerCertificate(own.as_ref().into()))
    }

    /// Whether the client uses TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl From<TcpStream> for Socket {
    fn from(io: TcpStream) -> Self {
        Self::Plain(io)
    }
}

/// A socket with TLS. What it has taken is either sent, or [`AsyncWrite::poll_flush`] is pending: it takes no more before that.
#[derive(Debug)]
pub struct TlsSocket(TlsStream<TcpStream>);

impl TlsSocket {
    pub(super) fn new(io: TlsStream<TcpStream>) -> Self {
        Self(io)
    }
}

impl AsyncRead for TlsSocket {
    /// Ends where the TCP connection ends, even without a `close_notify`: many clients send none, and everything that is read here shows its own end.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_read(cx, buf)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.0).poll_flush(cx))?;
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.0).poll_flush(cx))?;
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

impl Drop for TlsSocket {
    /// Tells the client that nothing is missing (RFC 8446, section 6.1), as far as the kernel takes it without waiting.
    fn drop(&mut self) {
        let (io, session) = self.0.get_mut();
        session.send_close_notify();
        while session.wants_write() && matches!(session.write_tls(&mut Unwaiting(io)), Ok(1..)) {}
    }
}

/// Writes what the kernel takes at once.
struct Unwaiting<'a>(&'a TcpStream);

impl io::Write for Unwaiting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, parts),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }
}
