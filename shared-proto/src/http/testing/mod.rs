//! Helpers for tests of listeners, with raw bytes over real sockets. No release build contains them.
//!
//! - [`checks`]: checks that every listener must pass
//! - [`client`]: an HTTP client that can send arbitrary bytes
//! - [`process`]: a service as a separate process

mod checks;
mod client;
mod process;

pub use checks::{
    OFFERS, counts_malformed_requests, counts_refused_connections, keeps_connections, keeps_connections_for_a_second,
    survives_silent_clients,
};
pub use client::{Answer, Client};
pub use process::{Process, free_address, with_open_files};
