//! The check of the log of a process under test.

use super::super::testing::Process;
use super::server::shared;
use std::process::Command;

/// Runs a process that logs this line. Another server answers at its address.
fn process_that_logs(line: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "echo \"$0\" >&2; exec sleep 60", line]);
    let process = Process::start(&mut command, shared());
    process.wait_for_log(|log| !log.is_empty());
}

#[test]
#[should_panic(expected = "the process logged: 12:00 ERROR gateway: planted")]
fn a_process_that_logs_an_error_fails_its_test() {
    process_that_logs("12:00 ERROR gateway: planted");
}

#[test]
#[should_panic(expected = r#"the process logged: {"level":"ERROR"}"#)]
fn a_process_that_logs_an_error_as_json_fails_its_test() {
    process_that_logs(r#"{"level":"ERROR"}"#);
}

#[test]
fn a_process_may_log_a_warning() {
    process_that_logs("12:00 WARN gateway: no ERRORS here");
}
