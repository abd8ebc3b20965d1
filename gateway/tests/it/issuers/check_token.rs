//! `gateway check-token` for issuers whose keys have a URL.

use super::source::{Answer, Key, Source};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

fn check(source: &Source, token: &str) -> (Option<i32>, String) {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").expect("a file");
    file.write_all(source.settings("", "").as_bytes()).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["check-token", "--config"]).arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("run");
    process.stdin.take().expect("piped").write_all(token.as_bytes()).expect("written");
    let ended = process.wait_with_output().expect("ended");
    (ended.status.code(), String::from_utf8([ended.stdout, ended.stderr].concat()).expect("text"))
}

#[test]
fn it_fetches_the_keys_and_says_from_where() {
    let (good, other) = (Key::new("good"), Key::new("other"));
    let mut for_encryption = Key::new("encrypts").jwk();
    for_encryption["use"] = "enc".into();
    let source = Source::start(Answer::Keys(vec![good.jwk(), for_encryption], std::time::Duration::ZERO));
    let (code, report) = check(&source, &good.token("alice"));
    assert!(code == Some(0) && report.ends_with("result     accepted, as the user alice\n"), "{report}");
    assert!(report.contains(&format!("keys from  http://{}/keys: 1 keys\n", source.address)), "{report}");
    assert!(report.contains("keys from  not used: the key encrypts is for enc, not for signatures\n"), "{report}");
    let (code, report) = check(&source, &other.token("alice"));
    assert!(code == Some(1) && report.contains("0 of 1 keys fit"), "{report}");
    source.set(Answer::Away);
    let (code, report) = check(&source, &good.token("alice"));
    assert!(code == Some(1) && report.contains(&format!("keys from  http://{}/keys: the connection broke", source.address)), "{report}");
    assert!(report.ends_with("result     refused: the keys of the token's issuer cannot be fetched now; try again\n"), "{report}");
    let requests = source.requests();
    let (_, report) = check(&source, "nonsense");
    assert!(report.ends_with("refused: the token is no JSON Web Token\n") && source.requests() == requests, "{report}");
}
