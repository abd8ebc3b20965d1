//! The command line, as another program uses it.

use std::{io, process::Command};

#[test]
fn a_reader_that_has_enough_is_no_error() {
    for args in [&["--check"][..], &["--print-defaults"], &["token", "--user", "alice", "--set", "tokens.hmac_secret=s"]] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let status = Command::new(env!("CARGO_BIN_EXE_gateway")).args(args).stdout(writer).status().expect("run");
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}
