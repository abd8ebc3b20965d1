//! Parsers of what comes first on a connection, for fuzz targets.

use super::super::proxy_protocol::header;
use std::net::SocketAddr;

/// Parses a header of the PROXY protocol: its length, and the address of the client if it names one. `None`: it has no end yet. An error says
/// what is wrong.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, String> {
    let parsed = header::parse(bytes).map_err(|malformed| malformed.to_string())?;
    Ok(parsed.map(|header| (header.length, header.source)))
}
