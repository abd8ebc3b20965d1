//! What all HTTP listeners have in common, around actix-http.
//!
//! - [`service`](mod@service): a listener, its service, and a server for it
//! - [`stream`]: a connection's bytes on their way to actix-http, so that an offered upgrade is ignored where it is not taken
//! - [`head`], [`body`]: what the stream knows of requests; no I/O
//! - [`keep_alive`]: tells clients how long an idle connection is kept
//! - [`deadline`]: how long it waits for a head
//! - [`errors`]: connections that did not end in good order
//! - [`open_files`]: how many connections a process can have

mod body;
mod deadline;
mod errors;
mod head;
mod keep_alive;
mod open_files;
mod service;
mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use errors::{Cause, ConnectionErrors, LOG_DIRECTIVE};
pub use open_files::{OpenFiles, raise_open_files};
pub use service::{BEYOND_PLACES, HttpOptions, accepted, listen, serve, service};
pub use stream::{RequestStream, SpeaksWebSocket};
