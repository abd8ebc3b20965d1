//! Opens connections to nodes.

use super::{
    socket::Socket,
    tls::Tls,
    tls_files::{TlsError, TlsFiles},
};
use hyper::Uri;
use hyper_util::rt::TokioIo;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, task::spawn_blocking, time::timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// Opens connections: plain ones, and with TLS where the URL begins with `https` or `wss`.
#[derive(Clone, Debug)]
pub(in crate::client) struct Connector {
    /// `None`: no configured URL needs it.
    tls: Option<Arc<Tls>>,
    timeout: Duration,
}

impl Connector {
    /// Reads the files of TLS, if there are some or one of the URLs needs TLS.
    pub(in crate::client) fn new(urls: &[String], files: &TlsFiles, timeout: Duration) -> Result<Self, TlsError> {
        let is_wanted = *files != TlsFiles::default() || urls.iter().any(|url| url.starts_with("https:") || url.starts_with("wss:"));
        let tls = is_wanted.then(|| Tls::new(files)).transpose()?;
        Ok(Self { tls: tls.map(Arc::new), timeout })
    }

    /// Opens a connection to the server of a URL, within the time limit.
    pub(in crate::client) async fn open(&self, url: &Uri) -> io::Result<Socket> {
        timeout(self.timeout, self.open_any(url)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn open_any(&self, url: &Uri) -> io::Result<Socket> {
        let needs_tls = matches!(url.scheme_str(), Some("https" | "wss"));
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_u16().unwrap_or(if needs_tls { 443 } else { 80 });
        let socket = TcpStream::connect((host, port)).await?;
        let _ = socket.set_nodelay(true);
        if !needs_tls {
            return Ok(Socket::Plain(socket));
        }
        // A node may name peers with TLS although the settings name none.
        let tls = self.tls.clone().ok_or_else(|| io::Error::other("it needs TLS: set the addresses of the settings to https://, too"))?;
        let name = tls.name(host)?;
        let config = spawn_blocking(move || tls.config()).await.map_err(io::Error::other)?;
        Ok(Socket::Tls(Box::new(TlsConnector::from(config).connect(name, socket).await?)))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Socket>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.open(&url).await.map(TokioIo::new) })
    }
}
