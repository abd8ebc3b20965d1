//! Who may come in: what the upgrade asks of the rest of the gateway.

use super::Subprotocols;
use actix_http::{
    RequestHead,
    header::{HeaderMap, ORIGIN},
};
use gateway_core::model::{ErrorCode, Refusal};
use std::{net::SocketAddr, time::Duration};

/// Decides upon upgrade requests and takes the sockets of those that it admits. One per worker thread.
pub trait Gate<T>: 'static {
    /// What a path leads to.
    type Route;
    /// What [`admit`](Self::admit) found out and [`enter`](Self::enter) needs.
    type Pass;

    /// Where the path leads; none answers 404.
    fn route(&self, path: &str) -> Option<Self::Route>;

    /// Decides upon a request that is a correct WebSocket handshake. Nothing was answered yet; it must not block.
    fn admit(&self, route: Self::Route, request: &UpgradeRequest<'_>) -> Result<Admission<Self::Pass>, Denial>;

    /// Learns of every refusal, also of those that come before [`admit`](Self::admit).
    fn refused(&self, denial: &Denial) {
        let _ = denial;
    }

    /// Takes a socket whose 101 is out. Is to spawn the connection's task and return at once. Where the 101 could not be written,
    /// the pass is dropped instead.
    fn enter(&self, upgraded: Upgraded<T, Self::Pass>);
}

/// An admitted request.
#[derive(Debug)]
pub struct Admission<P> {
    /// Echoed as `Sec-WebSocket-Protocol`. Has to be one that the client offered.
    pub subprotocol: Option<&'static str>,
    /// For [`Gate::enter`].
    pub pass: P,
}

/// A refused request: answered as problem+json with the refusal's HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What is wrong and what to do.
    pub refusal: Refusal,
    /// After what time another try makes sense; sent in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
}

impl Denial {
    /// A refusal with a time after which another try makes sense.
    pub fn retry_after(refusal: impl Into<Refusal>, pause: Duration) -> Self {
        Self { refusal: refusal.into(), retry_after: Some(pause) }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, retry_after: None }
    }
}

impl From<ErrorCode> for Denial {
    fn from(code: ErrorCode) -> Self {
        Refusal::from(code).into()
    }
}

/// The socket after its upgrade.
#[derive(Debug)]
pub struct Upgraded<T, P> {
    /// The bare stream.
    pub io: T,
    /// What came behind the request: the first frames, perhaps.
    pub leftover: Vec<u8>,
    /// The other end, as the socket knows it.
    pub peer: Option<SocketAddr>,
    /// The gate's own.
    pub pass: P,
}

/// A request that is a correct WebSocket handshake.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeRequest<'a> {
    head: &'a RequestHead,
}

impl<'a> UpgradeRequest<'a> {
    pub(super) fn new(head: &'a RequestHead) -> Self {
        Self { head }
    }

    /// The path, percent-encoded as it came.
    pub fn path(&self) -> &'a str {
        self.head.uri.path()
    }

    /// What stands behind the question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.head.uri.query()
    }

    /// The `Host` header: the authority that the client meant.
    pub fn host(&self) -> &'a str {
        self.header("host").unwrap_or_default()
    }

    /// The page's origin. Clients that are not browsers send none; one that is no text or stands there twice is refused.
    pub fn origin(&self) -> Result<Option<&'a str>, Refusal> {
        let mut all = self.headers().get_all(ORIGIN);
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(origin), None) if origin.to_str().is_ok() => Ok(origin.to_str().ok()),
            _ => Err(ErrorCode::OriginNotAllowed.into()),
        }
    }

    /// What the client offers to speak.
    pub fn subprotocols(&self) -> Subprotocols<'a> {
        Subprotocols::new(self.headers())
    }

    /// The other end, as the socket knows it: the proxy, where there is one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.head.peer_addr
    }

    /// A header's first value (`traceparent`, `forwarded` ...); none where it is no text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// All headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.head.headers()
    }
}
