//! Reads the header of HAProxy's PROXY protocol, versions 1 and 2, with which a proxy begins a connection
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! - [`reader`]: reads it from a socket
//! - [`header`]: parses it, without I/O

pub(super) mod header;
mod reader;
#[cfg(test)]
mod tests;

pub(super) use reader::Begun;
pub use reader::ProxyProtocol;
