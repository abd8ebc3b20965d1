//! The listener of the real process, as any HTTP client meets it.

use shared_proto::http::testing::{Process, free_address, keeps_connections, keeps_connections_for_a_second};
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

struct Notifier {
    _process: Process,
    _outbox: TempDir,
    address: SocketAddr,
}

fn start(settings: &[(&str, &str)]) -> Notifier {
    let (address, outbox) = (free_address(), tempfile::tempdir().expect("a directory"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_notifier-backend"));
    command.env("NOTIFIER__HTTP__ADDRESS", address.to_string()).env("NOTIFIER__OUTBOX__PATH", outbox.path().join("outbox.db"));
    command.envs(settings.iter().copied());
    Notifier { _process: Process::start(&mut command, address), _outbox: outbox, address }
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
