//! Over real sockets, with raw bytes.

mod heads;
mod offers;
mod server;
