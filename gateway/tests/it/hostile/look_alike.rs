//! Names that look like those of others.

use super::support::command;
use crate::public::{ask, start_with};
use serde_json::json;

#[test]
fn a_name_with_invisible_characters_is_nobody() {
    let (public, _) = start_with("[tokens]\nhmac_secret = \"s\"\n[demo]\nenabled = true\nreserved_names = [\"alice\"]".to_owned());
    let token = |user: &str| {
        let (head, body) = ask(public, "POST", "/demo/token", "Content-Type: application/json\r\n", &json!({ "user": user }).to_string());
        (head.split(' ').nth(1).expect("a status").to_owned(), body)
    };
    for (what, name) in [
        ("a zero-width space", "bob\u{200b}"),
        ("a zero-width joiner", "bo\u{200d}b"),
        ("a soft hyphen", "bo\u{ad}b"),
        ("a mark that turns the direction", "bob\u{202e}ecila"),
        ("a byte order mark", "\u{feff}bob"),
        ("a language tag", "bob\u{e0001}"),
        ("a line separator", "bob\u{2028}"),
        ("a space at the end", "bob "),
        ("a no-break space at the end", "bob\u{a0}"),
        ("an ideographic space at the begin", "\u{3000}bob"),
        ("a character that no version of Unicode has", "bob\u{378}"),
        ("a control character", "bob\u{1b}[2K"),
        ("a reserved name in capitals", "ALICE"),
    ] {
        let (status, body) = token(name);
        assert_eq!(status, "400", "{what}: {body}");
    }
    for (what, name) in [("letters", "bob"), ("an umlaut", "jürgen"), ("signs of an identity provider", "auth0|5f7c8ec7c33c6c004bbafe82")]
    {
        let (status, body) = token(name);
        assert_eq!(status, "200", "{what}: {body}");
    }
}

#[test]
fn a_channel_that_looks_like_a_personal_one_is_not_one() {
    let (public, internal) = start_with(
        "[tokens]\nhmac_secret = \"s\"\nanonymous = true\n[[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[namespaces.open]\nsubscribe = \"anyone\"".to_owned(),
    );
    let mut client = super::support::enter(public, "").0;
    let mut subscribe = |channel: &str| {
        let answer = command(&mut client, &json!({"id": 2, "subscribe": {"channel": channel}})).expect("it stays open");
        answer["error"]["code"].as_u64()
    };
    for channel in
        ["#alice", "#", "\u{ff03}alice", "open\u{ff1a}a", "ｏpen:a", "open\u{200b}:a", "Open:a", " open:a", "open :a", "open:a\0"]
    {
        assert!(subscribe(channel).is_some(), "{channel:?}");
    }
    assert_eq!(subscribe("open:a"), None);
    // What is published to alice reaches none of them.
    let (head, _) = ask(
        internal,
        "POST",
        "/v1/users/alice/messages",
        "Authorization: Bearer dev\r\nContent-Type: application/json\r\n",
        r#"{"data":1}"#,
    );
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let (head, _) = ask(
        internal,
        "POST",
        "/v1/channels/open:a/publications",
        "Authorization: Bearer dev\r\nContent-Type: application/json\r\n",
        r#"{"data":"open"}"#,
    );
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let next = String::from_utf8(client.frame().expect("open").payload).expect("text");
    assert!(next.contains("\"open:a\"") && next.contains("\"open\""), "{next}");
}
