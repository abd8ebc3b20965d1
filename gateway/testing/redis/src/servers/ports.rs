//! TCP ports.

use std::net::{Ipv4Addr, TcpListener};

/// A port of 127.0.0.1 that nothing listens on now. Another process may take it before it is used.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a free port").port()
}
