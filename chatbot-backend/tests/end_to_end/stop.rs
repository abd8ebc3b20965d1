//! Answers that users stop.

use crate::fake_gateway::FakeGateway;
use crate::instance::{Instance, LATER, NOW};
use crate::{LOBBY, count, has_kind, is_complete_answer, say};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Has `user` ask the instance "one" for a long answer, and waits for text. Returns the id of the stream.
async fn begin(gateway: &FakeGateway, user: &str, text: &str) -> String {
    let before: Vec<Value> = streams_to(gateway, user);
    gateway.call("one", "say", user, json!({"channel": LOBBY, "text": text})).await;
    let is_new = |entry: &Value| entry["kind"] == "stream" && entry["for"] == user && !before.contains(&entry["id"]);
    let id = gateway.wait_for(LOBBY, is_new).await["id"].as_str().expect("an id").to_owned();
    gateway.wait_for(&format!("stream:{id}"), |part| part["text"].as_str().is_some_and(|text| !text.is_empty())).await;
    id
}

fn streams_to(gateway: &FakeGateway, user: &str) -> Vec<Value> {
    let entries = gateway.entries(LOBBY).into_iter();
    entries.filter(|entry| entry["kind"] == "stream" && entry["for"] == user).map(|entry| entry["id"].clone()).collect()
}

async fn stop(gateway: &FakeGateway, instance: &str, user: &str, stream: Option<&str>) -> Value {
    let mut data = json!({ "channel": LOBBY });
    if let Some(stream) = stream {
        data["stream"] = json!(stream);
    }
    gateway.call(instance, "stop", user, data).await
}

fn stopped(ids: &[&str]) -> Value {
    json!({"reply": {"stopped": ids}})
}

/// The text of a stream up to its end.
fn text_until_end(entries: &[Value]) -> String {
    entries.iter().take_while(|entry| entry["kind"] == "part").filter_map(|part| part["text"].as_str()).collect()
}

#[actix_web::test]
async fn a_named_answer_is_stopped_through_any_instance_and_by_any_user() {
    let gateway = FakeGateway::start().await;
    let both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    for (instance, at) in [("one", NOW), ("two", LATER)] {
        let id = begin(&gateway, "alice", "tell me a story").await;
        let begun = Instant::now();
        assert_eq!(stop(&gateway, instance, "bob", Some(&id)).await, stopped(&[&id]));
        while both.0.active() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(2), "the writer does not notice the end");
            sleep(Duration::from_millis(5)).await;
        }
        let stream = gateway.entries(&format!("stream:{id}"));
        assert_eq!(stream.iter().find(|entry| entry["kind"] == "end"), Some(&json!({"kind": "end", "reason": "stopped", "by": "bob"})));
        let behind = stream.iter().skip_while(|entry| entry["kind"] == "part").count() - 1;
        assert!(behind <= 1, "only a part that was on its way follows the end: {behind}");
        let complete: Vec<Value> =
            gateway.entries(LOBBY).into_iter().filter(|entry| is_complete_answer(entry) && entry["stream"] == id.as_str()).collect();
        let text = text_until_end(&stream);
        let message =
            json!({"kind": "message", "id": id, "from": "bot", "text": text, "stream": id, "at": at, "reason": "stopped", "by": "bob"});
        assert_eq!(complete, [message]);
        for instance in ["one", "two"] {
            assert_eq!(stop(&gateway, instance, "bob", Some(&id)).await, stopped(&[]), "it has an end");
        }
    }
}

#[actix_web::test]
async fn without_a_stream_only_the_own_answers_are_stopped() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    for instance in ["one", "two"] {
        let mut own = [begin(&gateway, "alice", "count to 50").await, begin(&gateway, "alice", "count to 40").await];
        let other = begin(&gateway, "bob", "count to 50").await;
        own.sort_unstable();
        assert_eq!(stop(&gateway, instance, "alice", None).await, stopped(&[&own[0], &own[1]]));
        assert_eq!(stop(&gateway, instance, "alice", None).await, stopped(&[]));
        assert_eq!(stop(&gateway, instance, "", None).await, stopped(&[]));
        assert_eq!(count(&gateway.entries(&format!("stream:{other}")), has_kind("end")), 0);
        assert_eq!(stop(&gateway, instance, "bob", None).await, stopped(&[&other]));
    }
    let complete = gateway.entries(LOBBY).into_iter().filter(is_complete_answer);
    let by: Vec<Value> = complete.map(|message| message["by"].clone()).collect();
    assert_eq!(by, ["alice", "alice", "bob", "alice", "alice", "bob"]);
}

#[actix_web::test]
async fn the_line_stop_stops_the_own_answers_and_is_shown() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    for (instance, line) in [("one", "stop"), ("two", "Enough!")] {
        let (own, other) = (begin(&gateway, "alice", "count to 50").await, begin(&gateway, "bob", "count to 50").await);
        say(&gateway, instance, line).await;
        let end = gateway.wait_for(&format!("stream:{own}"), has_kind("end")).await;
        assert_eq!(end, json!({"kind": "end", "reason": "stopped", "by": "alice"}));
        gateway.wait_for(LOBBY, |entry| is_complete_answer(entry) && entry["stream"] == own.as_str()).await;
        assert_eq!(count(&gateway.entries(LOBBY), |entry| entry["from"] == "alice" && entry["text"] == line), 1);
        assert_eq!(count(&gateway.entries(&format!("stream:{other}")), has_kind("end")), 0);
        stop(&gateway, instance, "bob", Some(&other)).await;
    }
}

#[actix_web::test]
async fn a_stream_of_another_conversation_or_an_unknown_one_is_not_stopped() {
    let gateway = FakeGateway::start().await;
    let _bot = Instance::start(&gateway, "one");
    let id = begin(&gateway, "alice", "count to 50").await;
    let elsewhere = json!({"channel": "chat:other", "stream": id});
    assert_eq!(gateway.call("one", "stop", "alice", elsewhere).await, stopped(&[]));
    assert_eq!(gateway.call("one", "stop", "alice", json!({"channel": "chat:other"})).await, stopped(&[]));
    assert_eq!(stop(&gateway, "one", "alice", Some(&"0".repeat(24))).await, stopped(&[]));
    assert_eq!(count(&gateway.entries(&format!("stream:{id}")), has_kind("end")), 0);
    assert_eq!(gateway.entries("chat:other"), [] as [Value; 0]);
    assert_eq!(gateway.entries(&format!("stream:{}", "0".repeat(24))), [] as [Value; 0]);
}

#[actix_web::test]
async fn an_answer_is_stopped_even_if_its_announcement_is_far_back() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    let id = begin(&gateway, "alice", "count to 50").await;
    for n in 0..300 {
        gateway.store(LOBBY, &format!("line {n}"), &json!({"kind": "message", "id": n.to_string(), "from": "bob", "text": "hi"}));
    }
    assert_eq!(stop(&gateway, "two", "alice", None).await, stopped(&[&id]));
    gateway.wait_for(LOBBY, |entry| is_complete_answer(entry) && entry["reason"] == "stopped").await;
}

#[actix_web::test]
async fn the_complete_message_follows_the_end_that_was_stored_first() {
    let gateway = FakeGateway::start().await;
    let bot = Instance::start(&gateway, "one");
    let id = begin(&gateway, "alice", "fail").await;
    gateway.wait_for(&format!("stream:{id}"), |part| part["text"].as_str().is_some_and(|text| text.contains("sent"))).await;
    // Another instance ends the stream and dies before it publishes the complete message. This writer has no part left to publish.
    gateway.store(&format!("stream:{id}"), &format!("{id}-end"), &json!({"kind": "end", "reason": "stopped", "by": "bob"}));
    bot.has_reacted().await;
    let complete: Vec<Value> = gateway.entries(LOBBY).into_iter().filter(is_complete_answer).collect();
    assert_eq!(complete.len(), 1, "{complete:?}");
    assert_eq!((&complete[0]["reason"], &complete[0]["by"]), (&json!("stopped"), &json!("bob")));
}
