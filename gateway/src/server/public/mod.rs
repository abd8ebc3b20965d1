//! The listener for frontends.
//!
//! - [`listener`]: the server, and the gate that admits WebSockets
//! - [`streams`]: HTTP responses in place of WebSockets
//! - [`admissions`]: the limit of open connections; [`request_source`]: who sends a request, and whether its page may connect
//! - [`stomp`]: the paths of STOMP; [`demo`]: the demo page
//! - [`cors`]: which pages may read responses

mod admissions;
mod cors;
mod demo;
mod listener;
mod request_source;
mod stomp;
mod streams;

pub(super) use admissions::Admissions;
pub(super) use listener::server;
