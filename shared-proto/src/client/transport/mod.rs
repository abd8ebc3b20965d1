//! Connections to nodes, with and without TLS.
//!
//! - [`tls_files`]: what the settings name; [`tls`]: the configuration of TLS, from the files as they are now
//! - [`connector`]: opens connections; [`socket`]: one connection

mod connector;
mod socket;
mod tls;
mod tls_files;

pub(super) use connector::Connector;
pub(super) use socket::Socket;
pub use tls_files::{TlsError, TlsFiles};
