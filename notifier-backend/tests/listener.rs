//! The listener of the real process, as any HTTP client meets it.

use shared_proto::http::testing::{
    Process, counts_garbage, free_address, keeps_connections, keeps_connections_for_a_second, outlives_silent_strangers, with_open_files,
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
fn connections_are_kept_whatever_upgrade_is_offered() {
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
fn connections_are_kept_for_as_long_as_is_set() {
    keeps_connections_for_a_second(start(&[("NOTIFIER__HTTP__KEEP_ALIVE_S", "1")]).address);
}

#[test]
fn what_strangers_send_is_counted_and_is_no_error() {
    let notifier = start(&[]);
    counts_garbage(&notifier.process, notifier.address, notifier.address, "http_connection_errors_total", "");
}

#[test]
fn with_few_files_requests_are_answered() {
    let command = with_open_files(150, env!("CARGO_BIN_EXE_notifier-backend"));
    let notifier = run(command, &[("NOTIFIER__HTTP__REQUEST_TIMEOUT_MS", "500")]);
    outlives_silent_strangers(&notifier.process, notifier.address);
}
