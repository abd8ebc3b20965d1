//! Over real sockets, with raw bytes.

mod deadline;
mod heads;
mod kept;
mod offers;
mod process;
mod server;
