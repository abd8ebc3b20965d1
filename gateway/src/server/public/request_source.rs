//! Where a request of a frontend comes from: the client's address, and the page.

use crate::{
    auth::{Client, Origins, TrustedProxies},
    transport::request_origin,
};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use gateway_core::model::{ErrorCode, Refusal};
use std::{net::SocketAddr, sync::Arc};

/// Finds out where requests come from, and refuses those of foreign pages.
#[derive(Clone)]
pub(super) struct RequestSource {
    pub(super) origins: Arc<Origins>,
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
}
