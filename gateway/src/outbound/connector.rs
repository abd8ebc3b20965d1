//! Opens connections: resolves the name, refuses denied addresses, and connects to an address that was checked.

use super::{addresses::DeniedAddresses, endpoint::Endpoint};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::TlsConnector;

/// Why no connection was opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("its name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("webhook.deny refuses its address {0}")]
    Denied(IpAddr),
    #[error("{0} cannot be reached: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("TLS failed: {0}")]
    Tls(io::Error),
}

/// Both directions of a connection.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens connections. It sets no limit of time.
pub(crate) struct Connector {
    denied: Arc<DeniedAddresses>,
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("denied", &self.denied).finish_non_exhaustive()
    }
}

impl Connector {
    /// `tls`: for endpoints with `https`.
    pub(crate) fn new(denied: Arc<DeniedAddresses>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { denied, tls: tls.map(TlsConnector::from) }
    }

    /// Opens a connection.
    pub(crate) async fn open(&self, endpoint: &Endpoint) -> Result<TokioIo<Box<dyn Duplex>>, ConnectError> {
        let socket = connect(&resolve(&endpoint.host, endpoint.port, &self.denied).await?).await?;
        let _ = socket.set_nodelay(true);
        if !endpoint.is_https {
            return Ok(TokioIo::new(Box::new(socket) as Box<dyn Duplex>));
        }
        let tls = self.tls.as_ref().ok_or_else(|| ConnectError::Tls(io::ErrorKind::Unsupported.into()))?;
        let name = ServerName::try_from(endpoint.host.to_string()).map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
        Ok(TokioIo::new(Box::new(tls.connect(name, socket).await.map_err(ConnectError::Tls)?) as Box<dyn Duplex>))
    }
}

/// The addresses of the host that are not denied.
async fn resolve(host: &str, port: u16, denied: &DeniedAddresses) -> Result<Vec<SocketAddr>, ConnectError> {
    let all = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
    let (refused, allowed): (Vec<_>, Vec<_>) = all.partition(|address| denied.contain(address.ip()));
    match (allowed.is_empty(), refused.first()) {
        (true, Some(first)) => Err(ConnectError::Denied(first.ip())),
        (true, None) => Err(ConnectError::Resolve(io::ErrorKind::NotFound.into())),
        (false, _) => Ok(allowed),
    }
}

/// Connects to the first address that accepts.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut failed = ConnectError::Resolve(io::ErrorKind::NotFound.into());
    for &address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = ConnectError::Connect(address, error),
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_resolved_and_only_allowed_addresses_remain() {
        let denied =
            |entries: &[&str]| DeniedAddresses::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("valid");
        let open = resolve("localhost", 80, &denied(&["special"])).await.expect("every machine knows it");
        assert!(open.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{open:?}");
        for host in ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let error = resolve(host, 80, &denied(&["private"])).await.expect_err(host);
            assert!(matches!(error, ConnectError::Denied(_)), "{host}: {error}");
        }
    }
}
