//! What a gateway does not start with when others than this machine reach it, and what it says if it has to.

use super::listeners::Gateway;
use std::process::{Command, Output};

/// Runs the program with the development settings and these.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/config/dev.toml")]).args(arguments);
    command.output().expect("run")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

const OPEN: [&str; 4] = ["--set", "public.address=0.0.0.0:0", "--set", "internal.address=[::]:0"];

#[test]
fn a_gateway_that_is_open_to_others_does_not_start_with_settings_for_development() {
    for check in [&["--check"][..], &[]] {
        let Output { status, stderr, .. } = run(&[&OPEN[..], check].concat());
        let problems = text(stderr);
        assert_eq!(status.code(), Some(64), "{problems}");
        for key in ["demo.enabled: ", "tokens.hmac_secret: ", "api_keys[0]: "] {
            assert!(problems.contains(key), "{key} in {problems}");
        }
        assert_eq!(problems.matches("or listen at 127.0.0.1; to accept this, write allow_insecure = [").count(), 3, "{problems}");
    }
    let Output { status, stderr, .. } = run(&["--check"]);
    assert_eq!((status.code(), text(stderr)), (Some(0), String::new()), "at 127.0.0.1");
}

#[test]
fn each_start_warns_of_what_is_accepted() {
    let accepted = [&OPEN[..], &["--check", "--set", "allow_insecure=demo,dev-key,short-secret"]].concat();
    let Output { status, stderr, .. } = run(&accepted);
    let warnings = text(stderr);
    assert_eq!(status.code(), Some(0), "{warnings}");
    for warning in [
        "gateway: warning: demo.enabled: insecure: ",
        "gateway: warning: tokens.hmac_secret: insecure: ",
        "gateway: warning: api_keys[0]: insecure: ",
        "gateway: warning: allow_insecure: names \"short-secret\", which allows nothing here: remove it",
    ] {
        assert!(warnings.contains(warning), "{warning} in {warnings}");
    }
    let gateway = Gateway::start(&["public.address=0.0.0.0:0", "allow_insecure=demo,dev-key"]);
    let log = gateway.wait_for_log(|log| log.contains("ready"));
    for key in ["demo.enabled", "tokens.hmac_secret"] {
        let line = log.lines().find(|line| line.contains(&format!("{key}: insecure: "))).unwrap_or_else(|| panic!("{key} in {log}"));
        assert!(line.contains("WARN"), "{line}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_refused() {
    let Output { status, stderr, .. } = run(&["--check", "--set", "allow_insecure=demo,all"]);
    let problems = text(stderr);
    assert!(status.code() == Some(64) && problems.contains("allow_insecure: expected a list of \"demo\", \"dev-key\""), "{problems}");
}
