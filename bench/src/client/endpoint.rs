//! Where clients connect, and what all their requests say.

use super::socket::Socket;
use crate::result::Result;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

/// Connections from one source address; well below the number of ephemeral ports.
pub(crate) const CONNECTIONS_PER_ADDRESS: usize = 10_000;

/// The address of a server, and how to reach it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// What a client believes; none without TLS.
    tls: Option<Arc<ClientConfig>>,
    /// Lines in the head of every request.
    pub(crate) headers: String,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None, headers: String::new() }
    }
}

impl Endpoint {
    /// The same address, with TLS.
    pub(crate) fn with_tls(self, config: Arc<ClientConfig>) -> Self {
        Self { tls: Some(config), ..self }
    }

    /// The same address for a client that a proxy names.
    pub(crate) fn on_behalf_of(&self, client: Ipv4Addr) -> Self {
        Self { headers: format!("x-forwarded-for: {client}\r\n"), ..self.clone() }
    }

    pub(crate) const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens connection number `number`. With a small `receive_buffer` the kernel accepts little data for a client that does not read.
    pub(crate) async fn connect(&self, number: usize, receive_buffer: Option<u32>) -> Result<Socket> {
        let socket = TcpSocket::new_v4()?;
        if let Some(size) = receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        socket.bind(source(number))?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Socket::Plain(stream)) };
        let name = ServerName::IpAddress(self.address.ip().into());
        Ok(Socket::Tls(Box::new(TlsConnector::from(config.clone()).connect(name, stream).await?)))
    }
}

/// The address from which connection number `number` comes: 127.0.0.1 and those after it.
fn source(number: usize) -> SocketAddr {
    let address = u32::from(Ipv4Addr::LOCALHOST) + (number / CONNECTIONS_PER_ADDRESS) as u32;
    SocketAddr::new(IpAddr::V4(address.into()), 0)
}
