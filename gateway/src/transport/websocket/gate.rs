//! The interface between the upgrade and the rest of the gateway: who may connect.

use super::Subprotocols;
use actix_http::{
    RequestHead,
    header::{HeaderMap, ORIGIN},
};
use gateway_core::model::{ErrorCode, Refusal};
use std::{net::SocketAddr, time::Duration};

/// Decides about upgrade requests, and takes the sockets of admitted ones. One per worker thread.
pub trait Gate<T>: 'static {
    /// What a path upgrades to.
    type Route;
    /// What [`admit`](Self::admit) passes to [`enter`](Self::enter).
    type Pass;

    /// What the path upgrades to; a path without is answered with 404.
    fn route(&self, path: &str) -> Option<Self::Route>;

    /// Decides about a request that is a correct WebSocket handshake, before any answer. Must not block.
    fn admit(&self, route: Self::Route, request: &UpgradeRequest<'_>) -> Result<Admission<Self::Pass>, Denial>;

    /// Called for every refusal, also for those before [`admit`](Self::admit).
    fn refused(&self, denial: &Denial) {
        let _ = denial;
    }

    /// Takes a socket whose 101 is written. Spawns the connection's task and returns at once. If the 101 could not be written,
    /// the pass is dropped instead.
    fn enter(&self, upgraded: Upgraded<T, Self::Pass>);
}

/// An admitted request.
#[derive(Debug)]
pub struct Admission<P> {
    /// The value of `Sec-WebSocket-Protocol` in the response; one that the client offered.
    pub subprotocol: Option<&'static str>,
    /// For [`Gate::enter`].
    pub pass: P,
}

/// A refused request. The response is a problem document with the status of the refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What is wrong and what to do.
    pub refusal: Refusal,
    /// The value of `Retry-After`, rounded up to seconds.
    pub retry_after: Option<Duration>,
}

impl Denial {
    /// A refusal with a `Retry-After`.
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
    /// Bytes that followed the request, perhaps the first frames.
    pub leftover: Vec<u8>,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
    /// The pass from [`Gate::admit`].
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

    /// The path, percent-encoded as in the request.
    pub fn path(&self) -> &'a str {
        self.head.uri.path()
    }

    /// The part after the question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.head.uri.query()
    }

    /// The `Host` header.
    pub fn host(&self) -> &'a str {
        self.header("host").unwrap_or_default()
    }

    /// The page's origin; none for clients that are not browsers. One that is not text or is repeated is refused.
    pub fn origin(&self) -> Result<Option<&'a str>, Refusal> {
        let mut all = self.headers().get_all(ORIGIN);
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(origin), None) if origin.to_str().is_ok() => Ok(origin.to_str().ok()),
            _ => Err(ErrorCode::OriginNotAllowed.into()),
        }
    }

    /// The subprotocols that the client offers.
    pub fn subprotocols(&self) -> Subprotocols<'a> {
        Subprotocols::new(self.headers())
    }

    /// The peer's address; that of the proxy, if there is one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.head.peer_addr
    }

    /// The first value of a header; none if it is not text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// All headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.head.headers()
    }
}
