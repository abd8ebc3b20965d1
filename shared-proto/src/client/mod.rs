//! Typed clients for services.
//!
//! - [`rest::Gateway`]: the client for the gateway's REST interface, with failover between nodes
//! - [`link::Link`]: the WebSocket links of a service instance to every node of the cluster
//! - [`Failure`]: the error type of both clients; [`TlsFiles`]: their TLS
//! - [`backoff`]: exponential backoff with jitter
//!
//! Types of the wire formats do not belong here; see [`crate::rest`] and [`crate::link`].

pub mod backoff;
mod failure;
pub mod link;
pub mod rest;
mod transport;

pub use failure::Failure;
pub use transport::{TlsError, TlsFiles};
