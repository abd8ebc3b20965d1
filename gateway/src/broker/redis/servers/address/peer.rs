//! One server to connect to, with login and TLS.

use redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo, io::tcp::TcpSettings};
use std::{fmt, sync::Arc};

/// A server to connect to, with login, database and certificates.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(super) info: Box<ConnectionInfo>,
    /// The authority that must have issued the server's certificate, for messages.
    authority: Arc<str>,
}

impl Peer {
    pub(crate) fn new(info: ConnectionInfo, authority: Arc<str>) -> Self {
        Self { info: info.into(), authority }
    }

    pub(crate) fn with_login(self, login: RedisConnectionInfo) -> Self {
        Self { info: self.info.set_redis_settings(login).into(), ..self }
    }

    /// Another server with the same login and TLS.
    pub(crate) fn at(&self, host: String, port: u16) -> Self {
        let address = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self::new((*self.info).clone().set_addr(address), self.authority.clone())
    }

    /// The host. Empty for a Unix socket.
    pub(crate) fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    /// The connection settings for the client library, with these socket options.
    pub(crate) fn info(&self, tcp: TcpSettings) -> ConnectionInfo {
        (*self.info).clone().set_tcp_settings(tcp)
    }

    pub(crate) fn uses_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// The authority that must have issued the server's certificate, for messages.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

/// Writes host and port, or the path of a socket.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
                write!(f, "[{host}]:{port}")
            }
            address => address.fmt(f),
        }
    }
}
