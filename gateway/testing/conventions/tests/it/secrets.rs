//! Tests of the rule that no type prints a secret.

use crate::{
    planted::{found, gateway, source},
    workspace::keeps,
};
use conventions::rules::secrets;

#[test]
fn no_type_prints_a_secret() {
    keeps(secrets::check);
}

/// The findings for a file with this content.
fn printed(text: &str) -> Vec<String> {
    found(&secrets::check(&source(&gateway(&[("lib.rs", text)]))))
}

#[test]
fn a_planted_secret_is_found() {
    for text in [
        "#[derive(Clone, Debug)]\npub struct Connect { pub token: String }",
        "#[derive(Debug)]\npub enum Op { Call, Refresh { id: u8, new_token: Option<Box<str>> } }",
        "#[derive(Debug)]\nstruct Config<'a> { passwords: Vec<&'a str> }",
        "#[derive(PartialEq, prost::Message)]\nstruct Refresh { #[prost(string, tag = \"1\")] token: String }",
        "mod inner { #[derive(Debug)] struct A { api_key: String } }",
    ] {
        assert_eq!(printed(text).len(), 1, "{text}: {:?}", printed(text));
    }
}

#[test]
fn what_prints_no_secret_is_allowed() {
    for text in [
        "#[derive(Clone)]\npub struct Connect { pub token: String }",
        "#[derive(Debug)]\npub struct Connect { pub token: Secret, pub headers: BTreeMap<String, Secret>, pub has_token: bool }",
        "#[derive(Debug)]\npub struct Settings { pub tokens: Tokens, pub token_cookie: String, pub broken: String }",
        "#[derive(PartialEq, prost::Message)]\n#[prost(skip_debug)]\nstruct Refresh { token: String }",
        "#[cfg(test)]\nmod tests { #[derive(Debug)] struct A { token: String } }",
        "#[cfg_attr(test, derive(Debug))]\nstruct A { token: String }",
    ] {
        assert_eq!(printed(text), [""; 0], "{text}");
    }
}
