//! The command line, as another program uses it.

use std::{io, process::Command};

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
