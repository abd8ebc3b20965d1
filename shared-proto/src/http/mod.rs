//! The parts that all HTTP listeners share, around actix-http.
//!
//! - [`service`](mod@service): listeners, their HTTP service, and a server
//! - [`stream`]: filters the bytes of a connection before actix-http reads them, and hides upgrade offers that are not accepted
//! - [`head`], [`body`]: parse the bytes for the stream, without I/O
//! - [`proxy_protocol`]: reads the header with which a proxy begins a connection
//! - [`limits`]: limits of connections, per second and for each client, and their turns
//! - [`tls`]: TLS ahead of HTTP
//! - [`keep_alive`]: announces how long an idle connection stays open
//! - [`deadline`]: limits the time for a request's head
//! - [`errors`]: counts and logs connections that end with an error
//! - [`query`]: reads the query of a request
//! - [`openapi`] (feature `openapi`): what the descriptions of REST interfaces share
//! - [`open_files`]: fits the number of connections to the limit of open files

mod body;
mod deadline;
mod errors;
mod head;
mod keep_alive;
mod limits;
mod open_files;
#[cfg(feature = "openapi")]
pub mod openapi;
mod proxy_protocol;
mod query;
mod service;
mod stream;
mod takeover;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod tls;

pub use errors::{Cause, ConnectionErrors, SILENCED_TARGET};
pub use limits::{AcceptRate, ClientPlaces, Places, Ticket, TurnKind, Turns};
pub use open_files::{OpenFiles, raise_open_files};
pub use proxy_protocol::ProxyProtocol;
pub use query::{QueryError, query_pairs, read_query};
pub use service::{HttpOptions, SURPLUS_CONNECTIONS, listen, max_accepted, serve, service};
pub use stream::{AcceptsWebSocket, RequestStream, RequestTimes};
pub use takeover::{Takeover, TakeoverBody};
pub use tls::{HandshakeCounts, PeerCertificate, Socket, Tls, TlsSocket};
