//! Tests of the listener of the real process.

use shared_proto::http::testing::{
    Process, counts_malformed_requests, counts_refused_connections, free_address, keeps_connections, keeps_connections_for_a_second,
    survives_silent_clients, with_open_files,
};
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

struct Notifier {
    process: Process,
    _outbox: TempDir,
    address: SocketAddr,
}

fn start(settings: &[(&str, &str)]) -> Notifier {
    run(Command::new(env!("CARGO_BIN_EXE_notifier-backend")), settings)
}

fn run(mut command: Command, settings: &[(&str, &str)]) -> Notifier {
    let (address, outbox) = (free_address(), tempfile::tempdir().expect("a directory"));
    command.env("NOTIFIER__HTTP__ADDRESS", address.to_string()).env("NOTIFIER__OUTBOX__PATH", outbox.path().join("outbox.db"));
    command.envs(settings.iter().copied());
    Notifier { process: Process::start(&mut command, address), _outbox: outbox, address }
}

#[test]
fn connections_stay_open_after_upgrade_offers() {
    let notifier = start(&[]);
    let body = r#"{"user":"alice","title":"hello"}"#;
    let post = format!(
        "POST /v1/notifications HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for request in ["GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", &post] {
        keeps_connections(notifier.address, request);
    }
}

#[test]
fn idle_connections_stay_open_for_the_configured_time() {
    keeps_connections_for_a_second(start(&[("NOTIFIER__HTTP__KEEP_ALIVE_S", "1")]).address);
}

#[test]
fn malformed_requests_are_counted_and_cause_no_error_lines() {
    let notifier = start(&[]);
    counts_malformed_requests(&notifier.process, notifier.address, notifier.address, "http_connection_errors_total", "");
}

#[test]
fn requests_are_answered_with_a_low_limit_of_open_files() {
    let command = with_open_files(150, env!("CARGO_BIN_EXE_notifier-backend"));
    let notifier = run(command, &[("NOTIFIER__HTTP__REQUEST_TIMEOUT_MS", "500")]);
    survives_silent_clients(&notifier.process, notifier.address);
}

#[test]
fn refused_connections_are_counted() {
    let service = start(&[("NOTIFIER__HTTP__CONNECTIONS", "1"), ("NOTIFIER__HTTP__REQUEST_TIMEOUT_MS", "200")]);
    counts_refused_connections(service.address, service.address, "http_connection_errors_total", "");
}
