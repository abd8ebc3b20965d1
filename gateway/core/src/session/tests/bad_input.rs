//! Bad commands. Each gets one error or one close, and the session does not change.

use super::*;

/// The expected result of a bad message.
#[derive(Debug)]
enum Expected {
    /// Command 5 gets an error with this code, and the connection stays open.
    Error(u32),
    /// The connection closes with 3501 and a reason that contains this text.
    Closed(&'static str),
}
use Expected::{Closed, Error};

const JSON: &str = "not valid JSON";
const OBJECT: &str = "expected an object";

/// Passes a message to the session. Returns its actions.
fn actions_of(it: &mut TestSession, message: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for command in decode(message) {
        match command {
            Ok(command) => lines.extend(it.input(Input::Command(command))),
            Err(bad) => {
                let bad = bad.to_string();
                lines.push(format!("close 3501 {}", &bad[..bad.floor_char_boundary(123)]));
                break;
            }
        }
    }
    lines
}

#[test]
fn each_bad_command_gets_one_error_or_close_and_changes_nothing() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let long = "x".repeat(256);
    let of = |fields: &str| format!(r#"{{"id":5,{fields}}}"#);
    let subscribe = |fields: &str| of(&format!(r#""subscribe":{{{fields}}}"#));
    let publish = |fields: &str| of(&format!(r#""publish":{{{fields}}}"#));
    let history = |fields: &str| of(&format!(r#""history":{{"channel":"chat:a",{fields}}}"#));
    for (message, expected) in [
        // Not JSON, or not an object.
        ("{".to_owned(), Closed(JSON)),
        ("nonsense".into(), Closed(JSON)),
        ("\u{0}".into(), Closed(JSON)),
        (r#"{"id":5,"ping":{}"#.into(), Closed(JSON)),
        (r#"{"id":5,"ping":{}} {}"#.into(), Closed(JSON)),
        (r#"{"id":5 "ping":{}}"#.into(), Closed(JSON)),
        (r#"{"id":5,"rpc":{"method":"bot.say","data":01}}"#.into(), Closed(JSON)),
        (r#"{"id":5,"rpc":{"method":"\ud800"}}"#.into(), Closed("rpc.method: ")),
        ("[]".into(), Closed(OBJECT)),
        ("5".into(), Closed(OBJECT)),
        ("null".into(), Closed(OBJECT)),
        (nested(100_000), Closed(OBJECT)),
        (r#"{"id":"#.repeat(100_000), Closed("id: invalid type")),
        // Ids.
        (r#"{"ping":{}}"#.into(), Closed("no id")),
        (r#"{"id":0,"ping":{}}"#.into(), Closed("no id")),
        (r#"{"id":-1,"ping":{}}"#.into(), Closed("id: invalid value")),
        (r#"{"id":4294967296,"ping":{}}"#.into(), Closed("id: invalid value")),
        (r#"{"id":1.5,"ping":{}}"#.into(), Closed("id: invalid type")),
        (r#"{"id":"5","ping":{}}"#.into(), Closed("id: invalid type")),
        (r#"{"id":null,"ping":{}}"#.into(), Closed("no id")),
        (r#"{"id":5,"id":5,"ping":{}}"#.into(), Closed("duplicate field `id`")),
        // No command, or several.
        (r#"{"id":5}"#.into(), Closed("no known command")),
        (of(r#""dance":{}"#), Closed("no known command")),
        (of(r#""subscribe":null"#), Closed("no known command")),
        (of(r#""ping":{},"rpc":{}"#), Closed("several commands")),
        (of(r#""ping":{},"ping":{}"#), Closed("duplicate field `ping`")),
        (of(r#""connect":{}"#), Closed("connect was sent twice")),
        // Fields of another type.
        (of(r#""subscribe":["open:a"]"#), Closed("subscribe: invalid type")),
        (of(r#""subscribe":"open:a""#), Closed("subscribe: invalid type")),
        (of(r#""rpc":["bot.say",1]"#), Closed("rpc: invalid type")),
        (of(r#""history":{"channel":"chat:a","since":[1,"abcd1234"]}"#), Closed("history.since: invalid type")),
        (subscribe(r#""channel":5"#), Closed("subscribe.channel: invalid type")),
        (subscribe(r#""channel":null"#), Error(107)),
        (subscribe(r#""channel":"open:a","recover":"yes""#), Closed("subscribe.recover: invalid type")),
        (subscribe(r#""channel":"open:a","recover":true,"offset":-1"#), Closed("subscribe.offset: invalid value")),
        (subscribe(r#""channel":"open:a","recover":true,"offset":18446744073709551616"#), Closed("subscribe.offset: invalid type")),
        (subscribe(r#""channel":"open:a","recover":true,"epoch":7"#), Closed("subscribe.epoch: invalid type")),
        (subscribe(r#""channel":"open:a","token":{}"#), Closed("subscribe.token: invalid type")),
        (history(r#""limit":"all""#), Closed("history.limit: invalid type")),
        (history(r#""limit":4294967296"#), Closed("history.limit: invalid value")),
        (history(r#""reverse":1"#), Closed("history.reverse: invalid type")),
        (of(r#""rpc":{"method":["bot.say"]}"#), Closed("rpc.method: invalid type")),
        (of(r#""refresh":{"token":5}"#), Closed("refresh.token: invalid type")),
        // Channels.
        (subscribe(""), Error(107)),
        (subscribe(r#""channel":"""#), Error(107)),
        (subscribe(r#""channel":"a b""#), Error(107)),
        (subscribe(r#""channel":"ä""#), Error(107)),
        (subscribe(r#""channel":"a\u0000""#), Error(107)),
        (subscribe(r#""channel":"open:""#), Error(107)),
        (subscribe(r#""channel":":a""#), Error(107)),
        (subscribe(r##""channel":"#""##), Error(107)),
        (subscribe(r##""channel":"# a""##), Error(107)),
        (subscribe(r##""channel":"#a\u200b""##), Error(107)),
        (subscribe(r#""channel":"..""#), Error(107)),
        (subscribe(r##""channel":"#a:b""##), Error(103)),
        (subscribe(&format!(r#""channel":"{long}""#)), Error(107)),
        (subscribe(&format!(r#""channel":"{}""#, "x".repeat(60_000))), Error(107)),
        (subscribe(r#""channel":"nowhere:a""#), Error(102)),
        (subscribe(r#""channel":"closed:a""#), Error(103)),
        (subscribe(r##""channel":"#bob""##), Error(103)),
        (subscribe(r#""channel":"open:a","type":4"#), Error(108)),
        (subscribe(r#""channel":"open:a","type":-1"#), Error(108)),
        (of(r#""presence":{}"#), Error(107)),
        (of(r#""presence":{"channel":"chat:a"}"#), Error(103)),
        (of(r#""presence_stats":{"channel":"open:a"}"#), Error(108)),
        (of(r#""sub_refresh":{"channel":"open:a"}"#), Error(103)),
        (of(r#""history":{"channel":"open:a"}"#), Error(108)),
        (of(r#""history":{}"#), Error(107)),
        // Data.
        (publish(&format!(r#""channel":"open:a","data":{}"#, nested(65))), Error(107)),
        (publish(&format!(r#""channel":"open:a","data":{}"#, nested(30_000))), Error(107)),
        (publish(r#""channel":"nowhere:a","data":1"#), Error(102)),
        (publish(r#""channel":"chat:a","data":1"#), Error(103)),
        (publish(r#""data":1"#), Error(107)),
        (of(&format!(r#""rpc":{{"method":"bot.say","data":{}}}"#, nested(65))), Error(107)),
        (r#"{"send":{}}"#.into(), Closed("send takes")),
        (r#"{"send":{"data":[1]}}"#.into(), Closed("send takes")),
        (r#"{"send":{"data":{"data":1}}}"#.into(), Closed("missing field `service`")),
        (r#"{"send":{"data":{"service":null}}}"#.into(), Closed("service: invalid type: null")),
        (publish(r#""channel":"open:a""#), Error(107)),
        (format!(r#"{{"send":{{"data":{}}}}}"#, nested(65)), Closed("nested deeper than 64")),
    ] {
        assert_refused(&message, expected);
    }
}

fn assert_refused(message: &str, expected: Expected) {
    let shown: String = message.chars().take(100).collect();
    let mut it = TestSession::anonymous();
    let (before, lines) = (format!("{:?}", it.session), actions_of(&mut it, message));
    match expected {
        Error(code) => {
            assert_eq!(errors(&lines), [(5, code)], "{shown}: {lines:?}");
            assert_eq!((lines.len(), format!("{:?}", it.session)), (1, before), "{shown} changed the session");
        }
        Closed(why) => {
            assert!(lines.len() == 1 && lines[0].starts_with("close 3501 ") && lines[0].contains(why), "{shown}: {lines:?}");
        }
    }
}

#[test]
fn commands_before_a_bad_frame_run_and_commands_after_it_do_not() {
    let mut it = TestSession::anonymous();
    let message = "{\"id\":2,\"ping\":{}}\n{\"id\":3}\n{\"id\":4,\"ping\":{}}";
    assert_eq!(actions_of(&mut it, message), [r#"{"id":2,"ping":{}}"#, "close 3501 a frame contains no known command"]);
}

#[test]
fn unknown_fields_are_ignored() {
    for fields in [r#""new":1"#, r#""new":[[{}]]"#, r#""new":null"#, r#""Channel":5"#] {
        let message = format!(r#"{{"id":5,{fields},"subscribe":{{"channel":"open:a",{fields}}}}}"#);
        assert_eq!(actions_of(&mut TestSession::anonymous(), &message), ["start 2: attach open:a"], "{fields}");
    }
}

#[test]
fn any_epoch_is_accepted_for_recovery() {
    for (epoch, shown) in [("", ""), ("abcd1234", "abcd1234"), ("x", "x"), (r"\u0000\n", r"\0\n"), (&"e".repeat(5000), &"e".repeat(5000))] {
        for offset in [0, u64::MAX] {
            let message = format!(r#"{{"id":5,"subscribe":{{"channel":"chat:a","recover":true,"epoch":"{epoch}","offset":{offset}}}}}"#);
            let expected = format!(r#"start 2: attach chat:a from "{shown}":{offset}"#);
            assert_eq!(actions_of(&mut TestSession::anonymous(), &message), [expected]);
        }
    }
}
