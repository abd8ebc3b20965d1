//! The interface between the upgrade and the rest of the gateway, which implements it and decides which requests are admitted (`server/public`).

use super::Subprotocols;
use crate::transport::request_origin;
use actix_http::{RequestHead, header::HeaderMap, uri::Authority};
use gateway_core::model::{ConnectionId, ErrorCode, Refusal};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Admits or refuses upgrade requests, and receives the sockets of admitted requests. Each worker thread has one.
pub trait Gate<T>: 'static {
    /// The protocol that is spoken after an upgrade at a path.
    type Route;
    /// Data that [`admit`](Self::admit) hands to [`enter`](Self::enter).
    type Context;

    /// Refuses a request to a host that the listener does not answer to. Comes before all other checks.
    fn check_host(&self, request: &UpgradeRequest<'_>) -> Result<(), Refusal> {
        let _ = request;
        Ok(())
    }

    /// The route of a path. A path without a route gets 404.
    fn route(&self, path: &str) -> Option<Self::Route>;

    /// Decides about a request whose WebSocket handshake is valid, before it is answered. Must not block.
    fn admit(&self, route: Self::Route, request: &UpgradeRequest<'_>) -> Result<Admission<Self::Context>, Denial>;

    /// The client's address, for the log of a refusal.
    fn client(&self, request: &UpgradeRequest<'_>) -> Option<IpAddr> {
        request.peer().map(|peer| peer.ip())
    }

    /// Called after every refusal, including refusals before [`admit`](Self::admit).
    fn refused(&self, denial: &Denial) {
        let _ = denial;
    }

    /// Receives the socket after its 101 was written. Spawns the connection's task and returns at once. If the 101 could not be written,
    /// the context is dropped instead.
    fn enter(&self, upgraded: Upgraded<T, Self::Context>);
}

/// An admitted request.
#[derive(Debug)]
pub struct Admission<C> {
    /// The value of `Sec-WebSocket-Protocol` in the response. The client must have offered it.
    pub subprotocol: Option<&'static str>,
    /// The value of `X-Connection-Id` in the response.
    pub connection_id: Option<ConnectionId>,
    /// The data for [`Gate::enter`].
    pub context: C,
}

/// The refusal of a request. The response is a problem document with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The error and what to do about it.
    pub refusal: Refusal,
    /// The value of `Retry-After`. It is sent in seconds, rounded up.
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
pub struct Upgraded<T, C> {
    /// The socket.
    pub io: T,
    /// Bytes after the request. They may contain the first frames.
    pub leftover: Vec<u8>,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
    /// The data from [`Gate::admit`].
    pub context: C,
}

/// A request with a valid WebSocket handshake.
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

    /// The query: the part after the question mark.
    pub fn query(&self) -> Option<&'a str> {
        self.head.uri.query()
    }

    /// The page's origin; see [`request_origin`].
    pub fn origin(&self) -> Result<Option<&'a str>, Refusal> {
        request_origin(self.headers())
    }

    /// The host and port in the target; most requests have them in `Host` only (RFC 9112, section 3.2).
    pub fn authority(&self) -> Option<&'a Authority> {
        self.head.uri.authority()
    }

    /// The subprotocols that the client offers.
    pub fn subprotocols(&self) -> Subprotocols<'a> {
        Subprotocols::new(self.headers())
    }

    /// The peer's address. Behind a proxy, it is the proxy's address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.head.peer_addr
    }

    /// The first value of a header. `None` if it is not ASCII text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// All headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.head.headers()
    }
}
