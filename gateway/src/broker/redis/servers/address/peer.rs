//! One server.

use redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo, io::tcp::TcpSettings};
use std::{fmt, sync::Arc};

/// A server and how it is spoken with: login, database, certificates.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(super) info: Box<ConnectionInfo>,
    /// What vouches for its certificate.
    authority: Arc<str>,
}

impl Peer {
    pub(crate) fn new(info: ConnectionInfo, authority: Arc<str>) -> Self {
        Self { info: info.into(), authority }
    }

    pub(crate) fn with_login(self, login: RedisConnectionInfo) -> Self {
        Self { info: self.info.set_redis_settings(login).into(), ..self }
    }

    /// Another server, spoken with in the same way.
    pub(crate) fn at(&self, host: String, port: u16) -> Self {
        let address = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Self::new((*self.info).clone().set_addr(address), self.authority.clone())
    }

    /// Its host; empty where it has none.
    pub(crate) fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    /// What the client library connects to, with these socket options.
    pub(crate) fn info(&self, tcp: TcpSettings) -> ConnectionInfo {
        (*self.info).clone().set_tcp_settings(tcp)
    }

    pub(crate) fn uses_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// What vouches for its certificate.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

/// Host and port, or the path of a socket.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.addr().fmt(f)
    }
}
