//! A WebSocket echo server on the gateway's own transport, for conformance suites:
//! `cargo run -p gateway --example echo 127.0.0.1:9190`. Any path; every message comes back as it is.

#[path = "../tests/it/echo.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod server;

use clap::Parser;
use std::net::{SocketAddr, TcpListener};

/// Echoes WebSocket messages.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on.
    #[arg(default_value = "127.0.0.1:9190")]
    address: SocketAddr,
    /// Bytes that a message may have.
    #[arg(long, default_value_t = 16 * 1024 * 1024)]
    max_message: u32,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.address)?;
    println!("echoing on ws://{}", listener.local_addr()?);
    server::run(listener, server::Echo { max_message: arguments.max_message, ..server::Echo::default() })?.await
}
