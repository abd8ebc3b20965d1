//! Where a request of a frontend comes from: the client's address, and the page. And which host it addresses.

use super::counted_headers::CountedHeaders;
use crate::{
    auth::{Client, Hosts, Origins, TrustedProxies},
    transport::request_origin,
};
use actix_web::http::{
    header::{self, HeaderMap, HeaderValue},
    uri::Authority,
};
use gateway_core::model::{ErrorCode, Refusal};
use std::{net::SocketAddr, sync::Arc};

/// Finds out where requests come from, and refuses those of foreign pages and those to foreign hosts.
#[derive(Clone)]
pub(super) struct RequestSource {
    pub(super) origins: Arc<Origins>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) proxies: Arc<TrustedProxies>,
}

impl RequestSource {
    /// Who sends the request, as far as trusted proxies tell it.
    pub(super) fn client(&self, headers: &HeaderMap, peer: Option<SocketAddr>) -> Client {
        let values = |name: &str| headers.get_all(name).map(HeaderValue::as_bytes);
        self.proxies.client(peer.map(|peer| peer.ip()), values)
    }

    /// Refuses a request that comes from a page whose origin may not connect.
    pub(super) fn check_origin(&self, headers: &HeaderMap, client: &Client) -> Result<(), Refusal> {
        let host = client.host.as_deref().or_else(|| headers.get(header::HOST)?.to_str().ok());
        let origin = request_origin(headers)?;
        if self.origins.allows(origin, Some(host.unwrap_or_default()), client.scheme) {
            Ok(())
        } else {
            Err(ErrorCode::OriginNotAllowed.into())
        }
    }

    /// The headers of a request whose origin was checked, without those that must not count.
    pub(super) fn counted<'h>(&self, headers: &'h HeaderMap) -> CountedHeaders<'h> {
        CountedHeaders::new(headers, &self.origins)
    }

    /// Refuses a request to a host that the listener does not answer to. `target` is the host in the request's target, if it has one
    /// (RFC 9112, section 3.2.2). Each host that the request names must be listed.
    pub(super) fn check_host(&self, headers: &HeaderMap, target: Option<&Authority>, peer: Option<SocketAddr>) -> Result<(), Refusal> {
        if self.hosts.is_any() {
            return Ok(());
        }
        let client = self.client(headers, peer);
        let mut named = headers.get_all(header::HOST);
        let header = named.next().and_then(|host| host.to_str().ok());
        let named_host = client.host.as_deref().or(header);
        let is_listed = named_host.is_some_and(|host| self.hosts.contains(host));
        if is_listed && named.next().is_none() && target.is_none_or(|target| self.hosts.contains(target.as_str())) {
            Ok(())
        } else {
            Err(ErrorCode::HostNotAllowed.into())
        }
    }
}
