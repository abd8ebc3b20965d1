//! What all HTTP listeners have in common, around actix-http.
//!
//! - [`service`](mod@service): a listener, its service, and a server for it
//! - [`stream`]: a connection's bytes on their way to actix-http, so that an offered upgrade is ignored where it is not taken
//! - [`head`], [`body`]: what the stream knows of requests; no I/O

mod body;
mod head;
mod service;
mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use service::{HttpOptions, listen, serve, service};
pub use stream::{RequestStream, SpeaksWebSocket};
