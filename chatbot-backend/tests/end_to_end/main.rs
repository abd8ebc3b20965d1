//! Complete bot instances against a fake gateway in this process.

mod fake_gateway;
mod instance;
mod lifetime;
mod listener;
mod repeated_lines;
mod silence;
mod stop;

use fake_gateway::{BROKEN_CHANNEL, CallError, FakeGateway};
use instance::{Instance, NOW};
use serde_json::{Value, json};
use std::time::Duration;

const LOBBY: &str = "chat:lobby";
/// A message id as a page chooses it.
const MESSAGE_ID: &str = "0123456789abcdef0123456789abcdef";

async fn say(gateway: &FakeGateway, instance: &str, text: &str) -> Value {
    gateway.call(instance, "say", "alice", json!({"channel": LOBBY, "text": text})).await
}

fn has_kind(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |entry| entry["kind"] == kind
}

fn count(entries: &[Value], matches: impl Fn(&Value) -> bool) -> usize {
    entries.iter().filter(|entry| matches(entry)).count()
}

fn is_complete_answer(entry: &Value) -> bool {
    entry["kind"] == "message" && entry["from"] == "bot"
}

#[actix_web::test]
async fn a_message_is_answered_in_a_stream_and_with_a_complete_message() {
    let gateway = FakeGateway::start().await;
    let _bot = Instance::start(&gateway, "one");
    let reply = say(&gateway, "one", "who is here?").await;
    let last = gateway.wait_for(LOBBY, is_complete_answer).await;
    assert_eq!(last["text"], "Here now: alice, bob.");
    let entries = gateway.entries(LOBBY);
    assert_eq!(entries[0], json!({"kind": "message", "id": reply["reply"]["message"], "from": "alice", "text": "who is here?", "at": NOW}));
    let id = last["stream"].as_str().expect("a stream");
    let channel = format!("stream:{id}");
    assert_eq!(entries[1], json!({"kind": "stream", "id": id, "from": "bot", "channel": channel, "for": "alice", "at": NOW}));
    assert_eq!(entries[2], json!({"kind": "message", "id": id, "from": "bot", "text": last["text"], "stream": id, "at": NOW}));
    assert_eq!(entries.len(), 3, "{entries:?}");
    let stream = gateway.entries(&format!("stream:{id}"));
    let (end, parts) = stream.split_last().expect("not empty");
    assert_eq!(*end, json!({"kind": "end", "reason": "done"}));
    let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(last["text"], text.as_str());
    assert!(parts.iter().enumerate().all(|(n, part)| part["seq"] == n));
    assert_eq!(gateway.ephemeral(), [(LOBBY.to_owned(), json!({"kind": "typing", "from": "bot"}))]);
}

#[actix_web::test]
async fn an_instance_continues_the_answer_of_another_instance() {
    let gateway = FakeGateway::start().await;
    let (one, _two) = (Instance::start(&gateway, "one"), Instance::start(&gateway, "two"));
    say(&gateway, "one", "count to 2").await;
    gateway.wait_for(LOBBY, is_complete_answer).await;
    drop(one);
    say(&gateway, "two", "go on").await;
    let stream = gateway.wait_for(LOBBY, |entry| entry["kind"] == "stream" && !has_ended(&gateway, entry)).await;
    let first = |part: &Value| part["text"].as_str().is_some_and(|text| !text.is_empty());
    assert_eq!(gateway.wait_for(stream["channel"].as_str().expect("a channel"), first).await["text"], "3, ");
    say(&gateway, "two", "what did I say before?").await;
    gateway
        .wait_for(LOBBY, |entry| is_complete_answer(entry) && entry["text"].as_str().is_some_and(|text| text.contains("\"count to 2\"")))
        .await;
}

#[actix_web::test]
async fn the_stream_of_a_killed_writer_is_aborted_once() {
    let gateway = FakeGateway::start().await;
    let writer = Instance::start(&gateway, "dies");
    let _others = (Instance::start(&gateway, "two"), Instance::start(&gateway, "three"));
    say(&gateway, "dies", "count to 50").await;
    let id = gateway.wait_for(LOBBY, has_kind("stream")).await["id"].as_str().expect("an id").to_owned();
    let stream = format!("stream:{id}");
    gateway.wait_for(&stream, |part| part["text"].as_str().is_some_and(|text| text.contains('2'))).await;
    drop(writer);
    let died = tokio::time::Instant::now();
    gateway.wait_for(&stream, has_kind("end")).await;
    assert!(died.elapsed() < Duration::from_secs(10));
    let last = gateway.wait_for(LOBBY, is_complete_answer).await;
    assert_eq!((&last["reason"], &last["stream"]), (&json!("aborted"), &json!(id)));
    assert!(last["text"].as_str().is_some_and(|text| text.starts_with("1, 2")), "the written text is kept: {last}");
    // By the time the next answer is complete, both other instances have checked the stream again.
    say(&gateway, "two", "count to 3").await;
    gateway.wait_for(LOBBY, |entry| is_complete_answer(entry) && entry["text"] == "1, 2, 3.").await;
    assert_eq!(count(&gateway.entries(&stream), has_kind("end")), 1);
    assert_eq!(count(&gateway.entries(LOBBY), |entry| is_complete_answer(entry) && entry["stream"] == id.as_str()), 1);
}

fn has_ended(gateway: &FakeGateway, announcement: &Value) -> bool {
    gateway.entries(announcement["channel"].as_str().expect("a channel")).iter().any(has_kind("end"))
}

#[actix_web::test]
async fn intended_errors_fail_the_call_or_the_stream() {
    let gateway = FakeGateway::start().await;
    let _bot = Instance::start(&gateway, "one");
    assert_eq!(say(&gateway, "one", "error").await, json!({"error": 418}));
    assert!(gateway.entries(LOBBY).is_empty(), "a refused message is not part of the conversation");
    say(&gateway, "one", "fail").await;
    let last = gateway.wait_for(LOBBY, is_complete_answer).await;
    assert_eq!(last["reason"], "failed");
}

#[actix_web::test]
async fn typing_is_published_and_invalid_calls_are_refused() {
    let gateway = FakeGateway::start().await;
    let _bot = Instance::start(&gateway, "one");
    assert_eq!(gateway.call("one", "typing", "alice", json!({"channel": LOBBY})).await, json!({"reply": {}}));
    assert_eq!(gateway.ephemeral(), [(LOBBY.to_owned(), json!({"kind": "typing", "from": "alice"}))]);
    let long = "x".repeat(9000);
    for (method, user, data, code) in [
        ("say", "a", json!(null), 400),
        ("say", "a", json!([LOBBY, "hi"]), 400),
        ("say", "a", json!({"channel": LOBBY}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": 7}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "from": "bob"}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": " \n"}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": long}), 400),
        ("say", "a", json!({"channel": "news:world", "text": "hi"}), 400),
        ("say", "a", json!({"channel": "chat:", "text": "hi"}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "id": "short"}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "id": "x".repeat(65)}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "id": format!("{MESSAGE_ID} ")}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "id": 7}), 400),
        ("say", "a", json!({"channel": "chat:{x}", "text": "hi"}), 400),
        ("say", "a", json!({"channel": "chat:a#b", "text": "hi"}), 400),
        ("say", "Bot", json!({"channel": LOBBY, "text": "hi"}), 403),
        ("typing", "bOT", json!({"channel": LOBBY}), 403),
        ("typing", "a", json!({"channel": "#bob"}), 400),
        ("typing", "a", json!([LOBBY]), 400),
        ("stop", "a", json!({}), 400),
        ("stop", "a", json!([LOBBY]), 400),
        ("stop", "a", json!({"channel": "news:world"}), 400),
        ("stop", "a", json!({"channel": LOBBY, "stream": 7}), 400),
        ("stop", "a", json!({"channel": LOBBY, "stream": ""}), 400),
        ("stop", "a", json!({"channel": LOBBY, "stream": "stream:0123456789abcdef01234567"}), 400),
        ("stop", "a", json!({"channel": LOBBY, "by": "bob"}), 400),
        ("stop", "bot", json!({"channel": LOBBY}), 403),
        ("shout", "a", json!({}), 104),
    ] {
        assert_eq!(gateway.call("one", method, user, data.clone()).await, json!({"error": code}), "{method} {data:.80}");
    }
    assert!(gateway.entries(LOBBY).is_empty());
}

#[actix_web::test]
async fn error_texts_of_the_gateway_are_not_passed_on() {
    let gateway = FakeGateway::start().await;
    let _bot = Instance::start(&gateway, "one");
    assert_eq!(gateway.call("one", "typing", "alice", json!({"channel": BROKEN_CHANNEL})).await, json!({"error": 503}));
    let message = "The gateway did not accept it. The message is larger than the configured limit.".to_owned();
    assert_eq!(gateway.errors(), [CallError { message, temporary: false }], "the text of the error table");
}
