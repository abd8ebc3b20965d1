//! Lines that are sent twice, because the answer to the first call was lost.

use crate::fake_gateway::{CallError, FakeGateway};
use crate::instance::{Instance, NOW};
use crate::{LOBBY, MESSAGE_ID, count, has_kind, is_complete_answer};
use futures_util::future::join;
use serde_json::{Value, json};

fn line(text: &str) -> Value {
    json!({"channel": LOBBY, "text": text, "id": MESSAGE_ID})
}

fn done() -> Value {
    json!({"reply": {"message": MESSAGE_ID}})
}

/// Stores lines of others.
fn store_lines(gateway: &FakeGateway, number: usize) {
    for n in 0..number {
        let id = format!("{n:032}");
        gateway.store(LOBBY, &id, &json!({"kind": "message", "id": id, "from": "bob", "text": "count to 2", "at": NOW}));
    }
}

#[actix_web::test]
async fn a_repeated_line_is_stored_and_answered_once() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    for bot in ["one", "two", "one"] {
        assert_eq!(gateway.call(bot, "say", "alice", line("count to 2")).await, done());
    }
    for bot in ["one", "two"] {
        assert_eq!(gateway.call(bot, "say", "alice", line("count to 3")).await, json!({"error": 409}));
        assert_eq!(gateway.call(bot, "say", "bob", line("count to 2")).await, json!({"error": 409}), "the id of another user's message");
    }
    gateway.wait_for(LOBBY, is_complete_answer).await;
    // Each of the three calls has opened a stream. All of them must have ended before the entries are counted.
    gateway.wait_for_count("stream:", has_kind("end"), 3).await;
    let entries = gateway.entries(LOBBY);
    assert_eq!(entries[0], json!({"kind": "message", "id": MESSAGE_ID, "from": "alice", "text": "count to 2", "at": NOW}));
    assert_eq!((count(&entries, has_kind("message")), count(&entries, has_kind("stream"))), (2, 1), "{entries:?}");
}

#[actix_web::test]
async fn a_line_that_two_instances_get_at_the_same_time_succeeds_at_both() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    for n in 0..20 {
        let id = format!("{n:032}");
        let line = json!({"channel": LOBBY, "text": "hello", "id": id});
        let answers = join(gateway.call("one", "say", "alice", line.clone()), gateway.call("two", "say", "alice", line)).await;
        let done = json!({"reply": {"message": id}});
        assert_eq!(answers, (done.clone(), done));
    }
    assert_eq!(count(&gateway.entries(LOBBY), has_kind("message")), 20);
}

#[actix_web::test]
async fn a_stored_line_is_found_on_the_tenth_page_and_not_behind_it() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    gateway.call("one", "say", "alice", line("hello")).await;
    store_lines(&gateway, 999);
    assert_eq!(gateway.call("two", "say", "alice", line("hello")).await, done());
    assert_eq!(gateway.call("two", "say", "alice", line("good bye")).await, json!({"error": 409}));
    gateway.store(LOBBY, "one more", &json!({"kind": "typing", "from": "bob"}));
    assert_eq!(gateway.call("two", "say", "alice", line("hello")).await, json!({"error": 409}));
    let messages: Vec<String> = gateway.errors().into_iter().map(|error| error.message).collect();
    assert!(messages[0].contains("belongs to a different message"), "{messages:?}");
    assert!(messages[1].contains("can no longer read"), "{messages:?}");
    assert_eq!(count(&gateway.entries(LOBBY), |entry| entry["id"] == MESSAGE_ID), 1);
}

#[actix_web::test]
async fn a_repeated_line_can_be_sent_again_if_the_conversation_cannot_be_read() {
    let gateway = FakeGateway::start().await;
    let _both = (Instance::start(&gateway, "one"), Instance::start_later(&gateway, "two"));
    gateway.call("one", "say", "alice", line("hello")).await;
    gateway.set_history_works(false);
    assert_eq!(gateway.call("two", "say", "alice", line("hello")).await, json!({"error": 503}));
    let message = "I could not read whether this message is stored already. Try again with the same `id`.".to_owned();
    assert_eq!(gateway.errors(), [CallError { message, temporary: true }]);
    gateway.set_history_works(true);
    assert_eq!(gateway.call("two", "say", "alice", line("hello")).await, done());
    assert_eq!(gateway.entries(LOBBY).len(), 1);
}
