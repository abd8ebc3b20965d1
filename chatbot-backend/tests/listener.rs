//! The listener of the real process, as any HTTP client meets it.

use shared_proto::http::testing::{
    Process, counts_garbage, free_address, keeps_connections, keeps_connections_for_a_second, outlives_silent_strangers, with_open_files,
};
use std::net::SocketAddr;
use std::process::Command;

struct Bot {
    process: Process,
    address: SocketAddr,
}

fn start(settings: &[(&str, &str)]) -> Bot {
    run(Command::new(env!("CARGO_BIN_EXE_chatbot-backend")), settings)
}

fn run(mut command: Command, settings: &[(&str, &str)]) -> Bot {
    let address = free_address();
    command.env("CHATBOT__HTTP__ADDRESS", address.to_string());
    command.envs(settings.iter().copied());
    Bot { process: Process::start(&mut command, address), address }
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

#[test]
fn what_strangers_send_is_counted_and_is_no_error() {
    let bot = start(&[]);
    counts_garbage(&bot.process, bot.address, bot.address, "http_connection_errors_total", "");
}

#[test]
fn with_few_files_requests_are_answered() {
    let command = with_open_files(150, env!("CARGO_BIN_EXE_chatbot-backend"));
    let bot = run(command, &[("CHATBOT__HTTP__REQUEST_TIMEOUT_MS", "500")]);
    outlives_silent_strangers(&bot.process, bot.address);
}
