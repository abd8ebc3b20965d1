//! The process from its start to its end.

use shared_proto::http::testing::{Client, NotifySocket, Process, free_address};
use std::net::SocketAddr;
use std::process::Command;

const NOTIFIER: &str = env!("CARGO_BIN_EXE_notifier-backend");

fn health(address: SocketAddr) -> (Option<i32>, String) {
    let asked = Command::new(NOTIFIER).args(["health", "--set", &format!("http.address={address}")]).output().expect("run");
    (asked.status.code(), String::from_utf8([asked.stdout, asked.stderr].concat()).expect("text"))
}

#[test]
fn a_supervisor_learns_that_the_notifier_is_ready_and_that_it_ends() {
    let (address, directory, supervisor) = (free_address(), tempfile::tempdir().expect("a directory"), NotifySocket::bind());
    let mut command = Command::new(NOTIFIER);
    command.env("NOTIFIER__HTTP__ADDRESS", address.to_string()).env("NOTIFIER__OUTBOX__PATH", directory.path().join("outbox.db"));
    let mut notifier = Process::start(command.env("NOTIFY_SOCKET", &supervisor.name), address);
    assert_eq!(supervisor.next(), "READY=1\nSTATUS=ready");
    assert_eq!(health(address), (Some(0), "ready\n".into()));
    assert_eq!(notifier.terminate(), Some(0));
    assert_eq!(supervisor.next(), "STOPPING=1\nSTATUS=shutting down");
    let (code, text) = health(address);
    assert!(code == Some(1) && text.starts_with("no notifier-backend answers at ") && text.contains("--set http.address="), "{text}");
}

#[test]
fn callers_may_send_each_key_of_a_file() {
    let (address, directory) = (free_address(), tempfile::tempdir().expect("a directory"));
    let keys = directory.path().join("keys");
    std::fs::write(&keys, "one\ntwo, three\n").expect("written");
    let mut command = Command::new(NOTIFIER);
    command.env("NOTIFIER__HTTP__ADDRESS", address.to_string()).env("NOTIFIER__OUTBOX__PATH", directory.path().join("outbox.db"));
    let _notifier = Process::start(command.env("NOTIFIER__HTTP__API_KEYS_FILE", keys), address);
    for (key, status) in [("one", 200), ("two", 200), ("three", 200), ("two, three", 401), ("", 401)] {
        let request = format!("GET /v1/notifications HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n");
        assert_eq!(Client::connect(address).request(request).status, status, "{key}");
    }
}

#[test]
fn a_file_of_secrets_that_is_missing_stops_the_start() {
    for (key, variable) in [("http.api_keys", "NOTIFIER__HTTP__API_KEYS_FILE"), ("gateway.api_key", "NOTIFIER__GATEWAY__API_KEY_FILE")] {
        let ended = Command::new(NOTIFIER).env(variable, "/nowhere/key").output().expect("run");
        let text = String::from_utf8(ended.stderr).expect("text");
        let says =
            format!("{key}_file: the file \"/nowhere/key\" does not exist; create or mount it, or set {key} instead (in the environment)");
        assert!(ended.status.code() == Some(64) && text.contains(&says), "{text}");
    }
}

#[test]
fn a_check_shows_the_settings_without_secrets() {
    let mut check = Command::new(NOTIFIER);
    let secrets = [("NOTIFIER__GATEWAY__API_KEY", "hush"), ("NOTIFIER__HTTP__API_KEYS", "hush")];
    let checked = check.arg("--check").envs(secrets).env("NOTIFIER__HTTP__USERS_LIMIT", "7").output().expect("run");
    let text = String::from_utf8([checked.stdout, checked.stderr].concat()).expect("text");
    assert!(checked.status.success() && text.contains("http.users_limit = 7\n"), "{text}");
    assert!(text.matches(" = (a secret)\n").count() == 2 && !text.contains("hush"), "{text}");
}
