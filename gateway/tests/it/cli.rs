//! The command line, as another program uses it.

use super::{listeners::Gateway, store_errors::until};
use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
};

#[test]
fn a_closed_output_pipe_is_no_error() {
    for args in [&["--check"][..], &["--print-defaults"], &["token", "--user", "alice", "--set", "tokens.hmac_secret=s"]] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let status = Command::new(env!("CARGO_BIN_EXE_gateway")).args(args).stdout(writer).status().expect("run");
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn origins_are_checked_and_written_out() {
    let check = |origins: &str| {
        let arguments = ["--check", "--set", &format!("public.allowed_origins={origins}")];
        let reported = Command::new(env!("CARGO_BIN_EXE_gateway")).args(arguments).output().expect("run");
        (reported.status.code(), String::from_utf8([reported.stdout, reported.stderr].concat()).expect("text"))
    };
    for (bad, says) in [("https://*", "not the whole first label"), ("*,https://a.example", "remove it, or the other entries")] {
        let (code, reported) = check(bad);
        assert!(code == Some(64) && reported.contains("public.allowed_origins") && reported.contains(says), "{bad}: {reported}");
    }
    let (code, reported) = check("https://*.example.com");
    assert!(code == Some(0) && reported.contains(r#"public.allowed_origins = ["https://*.example.com"]"#), "{reported}");
}

#[test]
fn health_tells_whether_the_gateway_is_ready() {
    let gateway = Gateway::start(&["drain.delay=1h"]);
    let health = |arguments: &[&str]| {
        let asked = Command::new(env!("CARGO_BIN_EXE_gateway")).arg("health").args(arguments).output().expect("run");
        (asked.status.code(), String::from_utf8([asked.stdout, asked.stderr].concat()).expect("text"))
    };
    let address = format!("internal.address={}", gateway.internal);
    assert_eq!(health(&["--set", &address]), (Some(0), "ready\n".into()));
    gateway.terminate();
    until("the end of readiness", || health(&["--set", &address]) == (Some(1), "not ready: This node is shutting down.\n".into()));
    drop(gateway);
    let (code, text) = health(&["--set", &address]);
    assert!(code == Some(1) && text.starts_with("no gateway answers at ") && text.contains("Start the gateway"), "{text}");
    let (code, text) = health(&["--set", "internal.address=8001"]);
    assert!(code == Some(64) && text.contains("internal.address: expected"), "{text}");
}

#[test]
fn check_token_says_whether_a_token_is_accepted_and_why_not() {
    let gateway = |arguments: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("run");
        process.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
        let ended = process.wait_with_output().expect("ended");
        (ended.status.code(), String::from_utf8([ended.stdout, ended.stderr].concat()).expect("text"))
    };
    let (_, token) = gateway(&["token", "--user", "alice", "--set", "tokens.hmac_secret=s"], "");
    let (code, report) = gateway(&["check-token", "--set", "tokens.hmac_secret=s"], &format!("Authorization: Bearer {token}"));
    assert!(code == Some(0) && report.ends_with("result     accepted, as the user alice\n"), "{report}");
    assert!(report.contains("tokens.hmac_secret") && report.contains("HS256") && report.contains("expires    in "), "{report}");
    let (code, report) = gateway(&["check-token", "--set", "tokens.hmac_secret=other"], &token);
    assert!(code == Some(1) && report.contains("none of them has signed it"), "{report}");
    assert!(report.ends_with("refused: the token has a wrong signature\n"), "{report}");
    let signature = token.trim().rsplit('.').next().expect("three parts");
    assert!(!report.contains(signature), "a report may be passed on: {report}");
    let (code, report) = gateway(&["check-token"], "nonsense");
    assert!(code == Some(1) && report.ends_with("refused: the token is no JSON Web Token\n"), "{report}");
}

#[test]
fn a_check_warns_and_passes() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_gateway"));
    let checked = check.args(["--check", "--set", "public.proxy_idle_timeout=30s"]).output().expect("run");
    let warning = String::from_utf8(checked.stderr).expect("text");
    assert_eq!(checked.status.code(), Some(0));
    assert!(warning.starts_with("gateway: warning: public.proxy_idle_timeout: ") && warning.lines().count() == 1, "{warning}");
}

#[test]
fn a_check_refuses_proxies_that_are_no_networks_and_files_that_are_not_there() {
    for (setting, says) in [
        ("public.trusted_proxies=proxy.example", "public.trusted_proxies: expected networks such as"),
        (
            "tokens.hmac_secret_file=/nowhere/hmac",
            "\"/nowhere/hmac\" does not exist; create or mount it, or set tokens.hmac_secret instead",
        ),
    ] {
        let checked = Command::new(env!("CARGO_BIN_EXE_gateway")).args(["--check", "--set", setting]).output().expect("run");
        let problem = String::from_utf8(checked.stderr).expect("text");
        assert!(checked.status.code() == Some(64) && problem.contains(says), "{setting}: {problem}");
    }
}
