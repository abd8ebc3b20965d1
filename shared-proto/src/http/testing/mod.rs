//! For tests of listeners: raw bytes over real sockets. In no release build.
//!
//! - [`checks`]: what every listener has to do
//! - [`client`]: one connection
//! - [`process`]: a service as a process of its own

mod checks;
mod client;
mod process;

pub use checks::{OFFERS, counts_garbage, keeps_connections, keeps_connections_for_a_second, outlives_silent_strangers};
pub use client::{Answer, Client};
pub use process::{Process, free_address, with_open_files};
