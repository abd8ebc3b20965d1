//! TCP addresses and Unix sockets, on which proxies listen and to which they connect.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, UnixListener, UnixStream},
};

/// An address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

pub(super) enum Listener {
    Tcp(TcpListener),
    Socket(UnixListener),
}

/// Size of the socket's receive buffer, in bytes. It is small, so that the server soon notices a slow proxy.
const RECEIVE_BUFFER: u32 = 32 << 10;

impl Endpoint {
    pub(super) async fn connect(&self) -> io::Result<(Reader, Writer)> {
        match self {
            Self::Tcp(address) => {
                let socket = TcpSocket::new_v4()?;
                socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
                let stream = socket.connect(*address).await?;
                stream.set_nodelay(true)?;
                let (reader, writer) = stream.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
            Self::Socket(path) => {
                let (reader, writer) = UnixStream::connect(path).await?.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }
}

impl Listener {
    /// Listens on a free port of 127.0.0.1.
    pub(super) async fn at_port() -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok((Self::Tcp(listener), address))
    }

    pub(super) fn at_socket(path: PathBuf) -> io::Result<Self> {
        Ok(Self::Socket(UnixListener::bind(path)?))
    }

    pub(super) async fn accept(&self) -> io::Result<(Reader, Writer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let (reader, writer) = stream.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
            Self::Socket(listener) => {
                let (reader, writer) = listener.accept().await?.0.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }
}
