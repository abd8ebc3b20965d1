//! Finds free TCP ports.

use std::net::{Ipv4Addr, TcpListener};

/// A port of 127.0.0.1 on which nothing listens now. Another process may take it before the caller uses it.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a free port").port()
}
