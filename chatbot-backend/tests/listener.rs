//! The listener of the real process, as any HTTP client meets it.

use shared_proto::http::testing::{Process, free_address, keeps_connections, keeps_connections_for_a_second};
use std::net::SocketAddr;
use std::process::Command;

struct Bot {
    _process: Process,
    address: SocketAddr,
}

fn start(settings: &[(&str, &str)]) -> Bot {
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatbot-backend"));
    command.env("CHATBOT__HTTP__ADDRESS", address.to_string());
    command.envs(settings.iter().copied());
    Bot { _process: Process::start(&mut command, address), address }
}

#[test]
fn connections_are_kept_whatever_upgrade_is_offered() {
    let bot = start(&[]);
    for path in ["/livez", "/readyz", "/metrics", "/nothing"] {
        keeps_connections(bot.address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn connections_are_kept_for_as_long_as_is_set() {
    keeps_connections_for_a_second(start(&[("CHATBOT__HTTP__KEEP_ALIVE_S", "1")]).address);
}
