//! One document from a URL.

use super::{
    addresses::DeniedAddresses,
    body::{Body, read_body},
    connector::{ConnectError, Connector},
    endpoint::Endpoint,
};
use bytes::Bytes;
use futures_util::future::{Either, pending, select};
use http_body_util::Empty;
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{ACCEPT, CONNECTION, HOST, HeaderValue, USER_AGENT},
};
use rustls::ClientConfig;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::timeout;
use url::{Position, Url};

/// Limit of the head of an answer, in bytes.
const HEAD_BYTES: usize = 64 << 10;
const AGENT: &str = concat!("switchboard/", env!("CARGO_PKG_VERSION"));

/// Gets one document. Each time it opens a connection, so nothing is left open between two of them. It follows no redirects, and connects to every
/// address: only an operator writes its URL.
#[derive(Debug)]
pub(crate) struct Download {
    /// Without the query, for logs and operators.
    pub(crate) shown: Box<str>,
    endpoint: Endpoint,
    path: Uri,
    connector: Connector,
    limits: DownloadLimits,
}

/// Bounds of a [`Download`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct DownloadLimits {
    /// From the resolution of the name to the last byte.
    pub(crate) timeout: Duration,
    /// Size of the document, in bytes.
    pub(crate) size: usize,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("no whole answer within {0:?}")]
    Timeout(Duration),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("it answered with the status {}, and redirects are not followed: use the URL to which it leads", .0.as_u16())]
    Redirect(StatusCode),
    #[error("it answered with the status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("it answered with more than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
}

impl Download {
    /// A document at a URL whose server is `endpoint`. `tls` is needed for `https`.
    pub(crate) fn new(url: &Url, endpoint: Endpoint, tls: Option<Arc<ClientConfig>>, limits: DownloadLimits) -> Result<Self, &'static str> {
        let path = url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| Endpoint::INVALID)?;
        let shown = url[..Position::AfterPath].into();
        Ok(Self { shown, endpoint, path, connector: Connector::new(Arc::new(DeniedAddresses::none()), tls), limits })
    }

    /// Gets the document. Dropping the future closes the connection.
    pub(crate) async fn get(&self) -> Result<Bytes, DownloadError> {
        let Ok(got) = timeout(self.limits.timeout, self.exchange()).await else {
            return Err(DownloadError::Timeout(self.limits.timeout));
        };
        got
    }

    async fn exchange(&self) -> Result<Bytes, DownloadError> {
        let socket = self.connector.open(&self.endpoint).await?;
        let (mut sender, connection) = http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(socket).await?;
        let answer = pin!(async {
            let response = sender.send_request(self.request()).await?;
            match response.status() {
                StatusCode::OK => {}
                status if status.is_redirection() => return Err(DownloadError::Redirect(status)),
                status => return Err(DownloadError::Status(status)),
            }
            match read_body(response.into_body(), self.limits.size).await? {
                Body::Whole(body) => Ok(body),
                Body::TooLarge { limit } => Err(DownloadError::TooLarge { limit }),
            }
        });
        // The end of the connection is an error of the answer, if the answer is not complete.
        let connection = pin!(async {
            let _ = connection.await;
            pending::<()>().await;
        });
        match select(answer, connection).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), answer)) => answer.await,
        }
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.path.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.header.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        request
    }
}
