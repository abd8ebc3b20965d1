//! Why a gateway does not start, or does not go on.

use crate::settings::Problems;
use std::net::SocketAddr;

/// Why the process could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// Somebody else listens there.
    #[error("{address} ({key}) is in use by another process: see which with `ss -ltnp 'sport = :{}'`, or set {key} to another address", address.port())]
    AddressInUse {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
    },
    /// An error within the gateway, or of the machine.
    #[error("{0}")]
    Internal(Box<str>),
}

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(error.to_string().into())
    }
}

impl RunError {
    /// What binding an address to listen on ended with.
    pub fn from_bind(key: &'static str, address: SocketAddr, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::AddrInUse => Self::AddressInUse { key, address },
            _ => Self::Internal(format!("cannot listen on {address} ({key}): {error}").into()),
        }
    }
}
