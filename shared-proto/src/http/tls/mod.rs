//! TLS between the socket and HTTP.
//!
//! - [`acceptor`]: the handshakes of a listener, limited in number and time
//! - [`socket`]: the socket of a client, with or without TLS

mod acceptor;
mod socket;

pub use acceptor::{HandshakeCounts, Tls};
pub use socket::{PeerCertificate, Socket, TlsSocket};
