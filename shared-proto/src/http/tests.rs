//! Tests with raw bytes over real sockets.

mod deadline;
mod heads;
mod keep_alive;
mod offers;
mod server;
