//! The listener of the real process, as any HTTP client meets it.

use shared_proto::http::testing::{Process, free_address, ignores_offers};
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

struct Notifier {
    _process: Process,
    _outbox: TempDir,
    address: SocketAddr,
}

fn start() -> Notifier {
    let (address, outbox) = (free_address(), tempfile::tempdir().expect("a directory"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_notifier-backend"));
    command.env("NOTIFIER__HTTP__ADDRESS", address.to_string()).env("NOTIFIER__OUTBOX__PATH", outbox.path().join("outbox.db"));
    Notifier { _process: Process::start(&mut command, address), _outbox: outbox, address }
}

#[test]
fn offers_of_other_protocols_are_ignored_and_connections_kept() {
    let notifier = start();
    let body = r#"{"user":"alice","title":"hello"}"#;
    let post = format!(
        "POST /v1/notifications HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for request in ["GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", &post] {
        ignores_offers(notifier.address, request);
    }
}
