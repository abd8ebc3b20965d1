//! Errors that end the process.

use crate::settings::Problems;
use std::net::SocketAddr;

/// Why the process could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// Another process listens on the address.
    #[error("{address} ({key}) is in use by another process: see which with `ss -ltnp 'sport = :{}'`, or set {key} to another address", address.port())]
    AddressInUse {
        /// The key of the setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
    },
    /// An error of the gateway or of the machine.
    #[error("{0}")]
    Internal(Box<str>),
}

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(error.to_string().into())
    }
}

impl RunError {
    /// The error of a failed bind.
    pub fn from_bind(key: &'static str, address: SocketAddr, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::AddrInUse => Self::AddressInUse { key, address },
            _ => Self::Internal(format!("cannot listen on {address} ({key}): {error}").into()),
        }
    }
}
