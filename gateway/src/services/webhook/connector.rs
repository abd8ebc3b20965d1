//! Opens connections to targets: resolves the name, refuses denied addresses, and connects to an address that was checked.

use super::addresses::DeniedAddresses;
use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
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
    #[error("the URL has no host")]
    NoHost,
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

impl Connection for Box<dyn Duplex> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Opens connections for the HTTP client of one service.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) denied: Arc<DeniedAddresses>,
    pub(super) tls: Option<TlsConnector>,
    pub(super) timeout: Duration,
}

impl Connector {
    pub(super) fn new(denied: Arc<DeniedAddresses>, tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Self {
        Self { denied, tls: tls.map(TlsConnector::from), timeout }
    }

    async fn open(self, uri: Uri) -> Result<TokioIo<Box<dyn Duplex>>, ConnectError> {
        let opened = timeout(self.timeout, async {
            let host = uri.host().ok_or(ConnectError::NoHost)?.trim_matches(['[', ']']);
            let tls = self.tls.filter(|_| uri.scheme_str() == Some("https"));
            let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
            let socket = connect(&resolve(host, port, &self.denied).await?).await?;
            let _ = socket.set_nodelay(true);
            let Some(tls) = tls else { return Ok(Box::new(socket) as Box<dyn Duplex>) };
            let name = ServerName::try_from(host.to_owned()).map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
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
    let mut failed = ConnectError::NoHost;
    for &address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = ConnectError::Connect(address, error),
        }
    }
    Err(failed)
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Duplex>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
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
