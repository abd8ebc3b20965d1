//! What all HTTP listeners have in common, around actix-http.
//!
//! - [`service`](mod@service): a listener, its service, and a server for it
//! - [`stream`]: a connection's bytes on their way to actix-http, so that an offered upgrade is ignored where it is not taken
//! - [`head`], [`body`]: what the stream knows of requests; no I/O
//! - [`keep_alive`]: tells clients how long an idle connection is kept
//! - [`deadline`]: how long it waits for a head

mod body;
mod deadline;
mod head;
mod keep_alive;
mod service;
mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use service::{HttpOptions, listen, serve, service};
pub use stream::{RequestStream, SpeaksWebSocket};
