//! Whole bots against a gateway in this process.

mod fake;

use chatbot_backend::brain::Rules;
use chatbot_backend::desk::Desk;
use chatbot_backend::service::Chatbot;
use chatbot_backend::settings::{PROGRAM, Settings};
use chatbot_backend::sweep;
use fake::{BROKEN, FakeGateway};
use serde_json::{Value, json};
use shared_proto::client::link::{Config, Link};
use shared_proto::client::rest::{self, Gateway};
use shared_proto::process::settings::{Asked, load};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

const LOBBY: &str = "chat:lobby";
/// As a page would choose one.
const ID: &str = "0123456789abcdef0123456789abcdef";

/// One instance. Dropping it is its death: nothing is told to anybody.
struct Instance {
    _link: Link,
    sweeper: JoinHandle<()>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

fn instance(gateway: &FakeGateway, name: &str) -> Instance {
    let args = ["chatbot-backend", "--set", "bot.word_ms=1", "--set", "bot.part_ms=20"];
    let Ok(Asked::Run(settings)) = load::<Settings>(&PROGRAM, args.map(Into::into)) else { panic!("the settings are right") };
    let bot = Chatbot::new(Rules::new(&settings.bot.name), settings.bot.clone());
    let mut config = Config::new("chatbot", vec![gateway.link.clone()], "dev");
    config.instance = name.into();
    let link = Link::start(config, bot.clone()).expect("the settings are right");
    let timeout = Duration::from_secs(5);
    let reading = rest::Config { urls: vec![gateway.rest.clone()], api_key: "dev".into(), connect_timeout: timeout, timeout };
    let desk = Arc::new(Desk::new(link.publisher(), Gateway::new(&reading).expect("the settings are right"), settings.bot));
    bot.seat(desk.clone());
    let sweeper = tokio::spawn(sweep::run(desk, bot.running()));
    Instance { _link: link, sweeper }
}

async fn say(gateway: &FakeGateway, instance: &str, text: &str) -> Value {
    gateway.call(instance, "say", "alice", json!({"channel": LOBBY, "text": text})).await
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |entry| entry["kind"] == kind
}

fn count(entries: &[Value], fits: impl Fn(&Value) -> bool) -> usize {
    entries.iter().filter(|entry| fits(entry)).count()
}

fn finished(entry: &Value) -> bool {
    entry["kind"] == "message" && entry["from"] == "bot"
}

#[actix_web::test]
async fn a_line_is_answered_in_a_stream_and_stays_as_a_finished_line() {
    let gateway = FakeGateway::start().await;
    let _bot = instance(&gateway, "one");
    let reply = say(&gateway, "one", "who is here?").await;
    let last = gateway.until(LOBBY, finished).await;
    assert_eq!(last["text"], "Here now: alice, bob.");
    let entries = gateway.entries(LOBBY);
    assert_eq!(entries[0], json!({"kind": "message", "id": reply["reply"]["message"], "from": "alice", "text": "who is here?"}));
    let id = last["stream"].as_str().expect("a stream");
    assert_eq!(entries[1], json!({"kind": "stream", "id": id, "from": "bot", "channel": format!("stream:{id}")}));
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
async fn a_line_sent_again_under_its_id_is_the_same_line_and_answered_once() {
    let gateway = FakeGateway::start().await;
    let _both = (instance(&gateway, "one"), instance(&gateway, "two"));
    let line = json!({"channel": LOBBY, "text": "count to 2", "id": ID});
    for bot in ["one", "two", "one"] {
        assert_eq!(gateway.call(bot, "say", "alice", line.clone()).await, json!({"reply": {"message": ID}}));
    }
    let other = json!({"channel": LOBBY, "text": "count to 3", "id": ID});
    assert_eq!(gateway.call("one", "say", "alice", other).await, json!({"error": 409}));
    assert_eq!(gateway.call("one", "say", "bob", line).await, json!({"error": 409}), "another's id");
    gateway.until(LOBBY, finished).await;
    // Answers to the repeats have begun, and given way, when their streams have an end each.
    gateway.until_count("stream:", is("end"), 3).await;
    let entries = gateway.entries(LOBBY);
    assert_eq!(entries[0], json!({"kind": "message", "id": ID, "from": "alice", "text": "count to 2"}));
    assert_eq!((count(&entries, is("message")), count(&entries, is("stream"))), (2, 1), "{entries:?}");
}

#[actix_web::test]
async fn any_instance_goes_on_where_another_stopped() {
    let gateway = FakeGateway::start().await;
    let (one, _two) = (instance(&gateway, "one"), instance(&gateway, "two"));
    say(&gateway, "one", "count to 2").await;
    gateway.until(LOBBY, finished).await;
    drop(one);
    say(&gateway, "two", "go on").await;
    let stream = gateway.until(LOBBY, |entry| entry["kind"] == "stream" && !ended(&gateway, entry)).await;
    let first = |part: &Value| part["text"].as_str().is_some_and(|text| !text.is_empty());
    assert_eq!(gateway.until(stream["channel"].as_str().expect("a channel"), first).await["text"], "3, ");
    say(&gateway, "two", "what did I say before?").await;
    gateway.until(LOBBY, |entry| finished(entry) && entry["text"].as_str().is_some_and(|text| text.contains("\"count to 2\""))).await;
}

#[actix_web::test]
async fn a_stream_whose_speaker_died_is_ended_once_as_aborted() {
    let gateway = FakeGateway::start().await;
    let speaker = instance(&gateway, "dies");
    let _others = (instance(&gateway, "two"), instance(&gateway, "three"));
    say(&gateway, "dies", "count to 50").await;
    let id = gateway.until(LOBBY, is("stream")).await["id"].as_str().expect("an id").to_owned();
    let stream = format!("stream:{id}");
    gateway.until(&stream, |part| part["text"].as_str().is_some_and(|text| text.contains('2'))).await;
    drop(speaker);
    let died = tokio::time::Instant::now();
    gateway.until(&stream, is("end")).await;
    assert!(died.elapsed() < Duration::from_secs(10));
    let last = gateway.until(LOBBY, finished).await;
    assert_eq!((&last["reason"], &last["stream"]), (&json!("aborted"), &json!(id)));
    assert!(last["text"].as_str().is_some_and(|text| text.starts_with("1, 2")), "what was said is kept: {last}");
    // The next answer is a barrier: both sweepers have had their turn by the time it is finished.
    say(&gateway, "two", "count to 3").await;
    gateway.until(LOBBY, |entry| finished(entry) && entry["text"] == "1, 2, 3.").await;
    assert_eq!(count(&gateway.entries(&stream), is("end")), 1);
    assert_eq!(count(&gateway.entries(LOBBY), |entry| finished(entry) && entry["stream"] == id.as_str()), 1);
}

#[actix_web::test]
async fn stop_reaches_the_speaker_through_any_instance() {
    let gateway = FakeGateway::start().await;
    let _both = (instance(&gateway, "one"), instance(&gateway, "two"));
    for stopper in ["one", "two"] {
        let before = count(&gateway.entries(LOBBY), finished);
        say(&gateway, "one", "count to 50").await;
        let id = gateway.until(LOBBY, |entry| entry["kind"] == "stream" && !ended(&gateway, entry)).await["id"].clone();
        let stream = format!("stream:{}", id.as_str().expect("an id"));
        gateway.until(&stream, |part| part["text"].as_str().is_some_and(|text| text.contains('1'))).await;
        say(&gateway, stopper, "stop").await;
        assert_eq!(gateway.until(&stream, is("end")).await["reason"], "aborted");
        gateway.until(LOBBY, |entry| finished(entry) && entry["stream"] == id).await;
        assert_eq!(count(&gateway.entries(LOBBY), finished), before + 1);
    }
}

fn ended(gateway: &FakeGateway, announcement: &Value) -> bool {
    gateway.entries(announcement["channel"].as_str().expect("a channel")).iter().any(is("end"))
}

#[actix_web::test]
async fn errors_on_purpose_fail_the_call_or_the_stream() {
    let gateway = FakeGateway::start().await;
    let _bot = instance(&gateway, "one");
    assert_eq!(say(&gateway, "one", "error").await, json!({"error": 418}));
    assert!(gateway.entries(LOBBY).is_empty(), "a refused line is not part of the conversation");
    say(&gateway, "one", "fail").await;
    let last = gateway.until(LOBBY, finished).await;
    assert_eq!(last["reason"], "failed");
}

#[actix_web::test]
async fn typing_is_shown_and_bad_calls_are_refused() {
    let gateway = FakeGateway::start().await;
    let _bot = instance(&gateway, "one");
    assert_eq!(gateway.call("one", "typing", "alice", json!({"channel": LOBBY})).await, json!({"reply": {}}));
    assert_eq!(gateway.ephemeral(), [(LOBBY.to_owned(), json!({"kind": "typing", "from": "alice"}))]);
    let long = "x".repeat(5000);
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
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "id": format!("{ID} ")}), 400),
        ("say", "a", json!({"channel": LOBBY, "text": "hi", "id": 7}), 400),
        ("say", "a", json!({"channel": "chat:{x}", "text": "hi"}), 400),
        ("say", "a", json!({"channel": "chat:a#b", "text": "hi"}), 400),
        ("say", "Bot", json!({"channel": LOBBY, "text": "hi"}), 403),
        ("typing", "a", json!({"channel": "#bob"}), 400),
        ("typing", "a", json!([LOBBY]), 400),
        ("shout", "a", json!({}), 104),
    ] {
        assert_eq!(gateway.call("one", method, user, data.clone()).await, json!({"error": code}), "{method} {data:.80}");
    }
    assert!(gateway.entries(LOBBY).is_empty());
}

#[actix_web::test]
async fn what_the_gateway_said_to_the_bot_is_not_passed_on() {
    let gateway = FakeGateway::start().await;
    let _bot = instance(&gateway, "one");
    assert_eq!(gateway.call("one", "typing", "alice", json!({"channel": BROKEN})).await, json!({"error": 503}));
    let said = gateway.said.lock().expect("not poisoned").clone();
    assert_eq!(said, ["The gateway did not take it. The message is larger than the configured limit."], "the error table's words");
}
