//! Reads the header from a socket.

use super::header::{self, Header};
use crate::http::errors::{Cause, Fault};
use bytes::BytesMut;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

/// Time for the whole header.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Requires a header of the PROXY protocol at the beginning of each connection.
#[derive(Clone)]
pub struct ProxyProtocol {
    /// Whether a peer with this address may send the header. Connections of other peers are closed.
    pub accepts: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl fmt::Debug for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyProtocol").finish_non_exhaustive()
    }
}

/// What a header says, and the bytes that were read after it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Begun {
    /// The address of the client, as the proxy says. If the connection is the proxy's own (a health check), or the proxy does not know the address,
    /// that of the peer.
    pub(in crate::http) client: Option<SocketAddr>,
    pub(in crate::http) rest: BytesMut,
}

impl ProxyProtocol {
    /// Reads the header.
    pub(in crate::http) async fn begin<T: AsyncRead + Unpin>(&self, io: &mut T, peer: Option<SocketAddr>) -> Result<Begun, Fault> {
        if let Some(peer) = peer.filter(|peer| !(self.accepts)(peer.ip().to_canonical())) {
            let why = format!("{} is no trusted proxy; only these may send a header of the PROXY protocol", peer.ip());
            return Err(Fault::Refused(Cause::ProxyUntrusted, why));
        }
        timeout(TIME_LIMIT, read(io, peer)).await.unwrap_or_else(|_| {
            let why = format!("no header of the PROXY protocol within {} s", TIME_LIMIT.as_secs());
            Err(Fault::Refused(Cause::ProxyTimeout, why))
        })
    }
}

async fn read<T: AsyncRead + Unpin>(io: &mut T, peer: Option<SocketAddr>) -> Result<Begun, Fault> {
    let mut bytes = BytesMut::new();
    loop {
        match io.read_buf(&mut bytes).await {
            Ok(0) if bytes.is_empty() => return Err(Fault::Closed),
            Ok(0) => return Err(Fault::Refused(Cause::ProxyHeader, "the connection ended within the header of the PROXY protocol".into())),
            Ok(_) => {}
            Err(error) => return Err(Fault::Refused(Cause::Broken, error.to_string())),
        }
        match header::parse(&bytes) {
            Ok(None) => {}
            Ok(Some(Header { length, source })) => {
                let rest = bytes.split_off(length);
                return Ok(Begun { client: source.or(peer), rest });
            }
            Err(malformed) => return Err(Fault::Refused(Cause::ProxyHeader, malformed.to_string())),
        }
    }
}
