//! Tests of the listener of the real process.

use shared_proto::http::testing::{
    Process, counts_malformed_requests, counts_refused_connections, free_address, keeps_connections, keeps_connections_for_a_second,
    survives_silent_clients, with_open_files,
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
fn connections_stay_open_after_upgrade_offers() {
    let bot = start(&[]);
    for path in ["/livez", "/readyz", "/metrics", "/nothing"] {
        keeps_connections(bot.address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn idle_connections_stay_open_for_the_configured_time() {
    keeps_connections_for_a_second(start(&[("CHATBOT__HTTP__KEEP_ALIVE_S", "1")]).address);
}

#[test]
fn malformed_requests_are_counted_and_cause_no_error_lines() {
    let bot = start(&[]);
    counts_malformed_requests(&bot.process, bot.address, bot.address, "http_connection_errors_total", "");
}

#[test]
fn requests_are_answered_with_a_low_limit_of_open_files() {
    let command = with_open_files(150, env!("CARGO_BIN_EXE_chatbot-backend"));
    let bot = run(command, &[("CHATBOT__HTTP__REQUEST_TIMEOUT_MS", "500")]);
    survives_silent_clients(&bot.process, bot.address);
}

#[test]
fn refused_connections_are_counted() {
    let service = start(&[("CHATBOT__HTTP__CONNECTIONS", "1"), ("CHATBOT__HTTP__REQUEST_TIMEOUT_MS", "200")]);
    counts_refused_connections(service.address, service.address, "http_connection_errors_total", "");
}
