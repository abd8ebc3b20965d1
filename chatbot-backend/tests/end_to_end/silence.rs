//! Between people, the bot is silent.

use crate::fake_gateway::{CONNECTION, FakeGateway};
use crate::instance::Instance;
use crate::{LOBBY, count, has_kind, say};
use serde_json::json;

/// The present users and their connections.
type Present<'a> = Option<&'a [(&'static str, &'static str)]>;

/// Says a line and returns the number of answers to it.
async fn answers(user: &str, text: &str, present: Present<'_>) -> usize {
    let gateway = FakeGateway::start().await;
    gateway.set_present(present);
    let bot = Instance::start(&gateway, "one");
    let reply = gateway.call("one", "say", user, json!({"channel": LOBBY, "text": text})).await;
    assert!(reply["reply"].is_object(), "{reply}");
    bot.has_reacted().await;
    let entries = gateway.entries(LOBBY);
    assert_eq!(entries[0]["text"], text);
    count(&entries, has_kind("stream"))
}

#[actix_web::test]
async fn the_bot_answers_a_line_that_is_not_for_it_only_to_a_single_person() {
    let alone: &[_] = &[("alice", CONNECTION)];
    let two_tabs: &[_] = &[("alice", CONNECTION), ("alice", "a2")];
    let with_bob: &[_] = &[("alice", CONNECTION), ("bob", "b")];
    let with_stranger: &[_] = &[("alice", CONNECTION), ("", "s")];
    let stranger: &[_] = &[("", CONNECTION)];
    let two_strangers: &[_] = &[("", CONNECTION), ("", "s")];
    let another_stranger: &[_] = &[("", "s")];
    let only_bob: &[_] = &[("bob", "b")];
    for (user, text, present, expected) in [
        ("alice", "nice weather", Some(alone), 1),
        ("alice", "nice weather", Some(two_tabs), 1),
        ("alice", "nice weather", Some(&[] as &[_]), 1),
        ("alice", "nice weather", Some(with_bob), 0),
        ("alice", "nice weather", Some(with_stranger), 0),
        ("alice", "nice weather", Some(only_bob), 0),
        ("alice", "nice weather", None, 0),
        ("", "nice weather", Some(stranger), 1),
        ("", "nice weather", Some(two_strangers), 0),
        ("", "nice weather", Some(another_stranger), 0),
        ("", "nice weather", Some(with_bob), 0),
        ("alice", "Who is here?", Some(with_bob), 1),
        ("alice", "help", None, 1),
        ("alice", "what do you say, @Bot?", Some(with_bob), 1),
        ("alice", "@bot nice weather", None, 1),
        ("alice", "@bob help", Some(alone), 0),
        ("alice", "help me, bob", Some(with_bob), 0),
        ("alice", "help me, bot", Some(alone), 1),
    ] {
        assert_eq!(answers(user, text, present).await, expected, "{user}: {text}, {present:?}");
    }
}

#[actix_web::test]
async fn a_line_that_the_bot_does_not_answer_is_stored_even_if_it_writes_too_many_answers() {
    let gateway = FakeGateway::start().await;
    let _bot = Instance::with_settings(&gateway, "one", &["bot.max_streams=1"]);
    say(&gateway, "one", "count to 50").await;
    gateway.wait_for(LOBBY, has_kind("stream")).await;
    assert_eq!(say(&gateway, "one", "help").await, json!({"error": 429}));
    assert!(say(&gateway, "one", "nice weather").await["reply"].is_object());
    assert!(say(&gateway, "one", "@bob nice weather").await["reply"].is_object());
    gateway.set_present(Some(&[("alice", CONNECTION)]));
    assert_eq!(say(&gateway, "one", "nice weather").await, json!({"error": 429}));
    assert!(gateway.errors().iter().all(|error| error.temporary));
    assert!(say(&gateway, "one", "stop").await["reply"].is_object());
    let texts: Vec<_> =
        gateway.entries(LOBBY).into_iter().filter(|entry| entry["from"] == "alice").map(|entry| entry["text"].clone()).collect();
    assert_eq!(texts, ["count to 50", "nice weather", "@bob nice weather", "stop"]);
}
