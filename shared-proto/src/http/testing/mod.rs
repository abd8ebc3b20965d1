//! Helpers for tests of listeners, with raw bytes over real sockets. No release build contains them.
//!
//! - [`checks`]: checks that every listener must pass
//! - [`client`]: an HTTP client that can send arbitrary bytes
//! - [`parsers`]: parsers for fuzz targets
//! - [`process`]: a service as a separate process; [`notify_socket`]: what it reports to its supervisor

mod checks;
mod client;
mod notify_socket;
mod parsers;
mod process;

pub use checks::{
    OFFERS, counts_malformed_requests, counts_refused_connections, keeps_connections, keeps_connections_for_a_second,
    survives_silent_clients,
};
pub use client::{Answer, Client};
pub use notify_socket::NotifySocket;
pub use parsers::proxy_header;
pub use process::{Process, free_address, with_open_files};
