//! The listener of the real process, as any HTTP client meets it.

use shared_proto::http::testing::{Process, free_address, ignores_offers};
use std::net::SocketAddr;
use std::process::Command;

struct Bot {
    _process: Process,
    address: SocketAddr,
}

fn start() -> Bot {
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatbot-backend"));
    command.env("CHATBOT__HTTP__ADDRESS", address.to_string());
    Bot { _process: Process::start(&mut command, address), address }
}

#[test]
fn offers_of_other_protocols_are_ignored_and_connections_kept() {
    let bot = start();
    for path in ["/livez", "/readyz", "/metrics", "/nothing"] {
        ignores_offers(bot.address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}
