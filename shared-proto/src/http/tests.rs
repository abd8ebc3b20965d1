//! Tests with raw bytes over real sockets.

mod connection_errors;
mod deadline;
mod heads;
mod keep_alive;
mod offers;
mod process;
mod server;
mod takeover;
