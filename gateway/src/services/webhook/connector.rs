//! Opens connections to targets: resolves the name, refuses denied addresses, and connects to an address that was checked.

use super::{addresses::DeniedAddresses, target_url::TargetUrl};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Why no connection was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("its name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("webhook.deny refuses its address {0}")]
    Denied(IpAddr),
    #[error("{0} cannot be reached: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("no connection within webhook.connect_timeout")]
    Timeout,
    #[error("TLS failed: {0}")]
    Tls(io::Error),
}

/// Both directions of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens connections for the HTTP client of one service.
pub(super) struct Connector {
    denied: Arc<DeniedAddresses>,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(denied: Arc<DeniedAddresses>, tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Self {
        Self { denied, tls: tls.map(TlsConnector::from), timeout }
    }

    /// Opens a connection to a target.
    pub(super) async fn open(&self, url: &TargetUrl) -> Result<TokioIo<Box<dyn Duplex>>, ConnectError> {
        let opened = timeout(self.timeout, async {
            let tls = self.tls.as_ref().filter(|_| url.is_https);
            let socket = connect(&resolve(&url.host, url.port, &self.denied).await?).await?;
            let _ = socket.set_nodelay(true);
            let Some(tls) = tls else { return Ok(Box::new(socket) as Box<dyn Duplex>) };
            let name = ServerName::try_from(url.host.to_string()).map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
            Ok(Box::new(tls.connect(name, socket).await.map_err(ConnectError::Tls)?) as Box<dyn Duplex>)
        });
        opened.await.map_err(|_| ConnectError::Timeout)?.map(TokioIo::new)
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
