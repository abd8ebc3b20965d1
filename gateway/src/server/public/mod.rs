//! The listener for frontends.
//!
//! - [`listener`]: the server, and the gate that admits WebSockets
//! - [`streams`]: HTTP responses in place of WebSockets
//! - [`accepts`]: the limit of new connections per second
//! - [`admissions`]: the limit of open connections; [`request_source`]: who sends a request, and whether its page may connect
//! - [`hosts`]: answers only requests to the names of the listener
//! - [`counted_headers`]: the headers of a request that count; [`ignored_credentials`]: tells of those that do not
//! - [`stomp`]: the paths of STOMP; [`demo`]: the demo page
//! - [`logout`]: logout tokens of issuers
//! - [`cors`]: which pages may read responses

mod accepts;
mod admissions;
mod cors;
mod counted_headers;
mod demo;
mod hosts;
mod ignored_credentials;
mod listener;
mod logout;
mod request_source;
mod stomp;
mod streams;

pub(super) use admissions::Admissions;
pub(super) use listener::server;
