//! Deliveries over links.

use super::fixture::{Instance, config, gateway, run, until};
use crate::{
    queues::OwnerCount,
    services::{Caller, EventResult, QueueConfig, Route, ServiceConfig},
    settings::OrderedBy,
};
use gateway_core::queue::{DeadReason, partition_of};
use serde_json::json;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3);

/// The calls of one room keep their order.
fn by_room() -> ServiceConfig {
    let ServiceConfig { route, .. } = config();
    ServiceConfig { route: Route { order: OrderedBy::Member("/room".parse().expect("a pointer")), ..route }, ..config() }
}

fn patient(tries: u32) -> ServiceConfig {
    let retry = Duration::from_secs(10);
    let queue = QueueConfig { partitions: 1, tries, retry_min: retry, retry_max: retry, ..QueueConfig::default() };
    ServiceConfig { queue: Some(queue), ..by_room() }
}

#[test]
fn a_message_and_a_call_come_with_their_attempt_and_are_done_once_acknowledged() {
    run(async {
        let gateway = gateway(ServiceConfig { queue: Some(QueueConfig::default()), ..config() });
        let (mut bot, alice) = (Instance::open(&gateway, "i1", 8).await, Caller::of("alice"));
        let key = alice.connection.to_string();
        gateway.send(&alice, json!({"n": 1})).await.expect("stored");
        let event = bot.event().await;
        let id = event["id"].clone();
        assert!(id.as_str().is_some_and(|id| id.starts_with("msg_")), "{event}");
        assert_eq!(
            event,
            json!({"id": id, "kind": "message", "attempt": 1, "partition": partition_of(&key, 4), "key": key, "data": {"n": 1}, "user": "alice", "connection": key})
        );
        bot.done(&event);
        let accepted = gateway.call(&alice, "say", json!([2])).await.expect("stored");
        let event = bot.event().await;
        assert_eq!(
            (&event["kind"], &event["method"], &event["id"], &event["data"]),
            (&json!("call"), &json!("say"), &json!(accepted), &json!([2]))
        );
        bot.done(&event);
        until("both are deleted", async || gateway.counted(OwnerCount::Acknowledged) == 2).await;
        let (_, counters, _) = gateway.services.queue_counters().next().expect("one queue");
        assert_eq!(counters.events(EventResult::Stored), 2);
    });
}

// NL-8.8
#[test]
fn the_events_of_a_key_come_one_after_the_other_and_a_failed_one_blocks_only_its_key() {
    run(async {
        let gateway = gateway(patient(3));
        let (mut bot, alice) = (Instance::open(&gateway, "i1", 16).await, Caller::of("alice"));
        for (room, n) in [("a", 1), ("a", 2), ("b", 3)] {
            gateway.send(&alice, json!({"room": room, "n": n})).await.expect("stored");
        }
        let (first, of_b) = (bot.event().await, bot.event().await);
        assert_eq!((&first["data"]["n"], &of_b["data"]["n"]), (&json!(1), &json!(3)));
        assert!(bot.is_idle(LONG).await, "the second of a waits for the first");
        bot.failed(&first, &json!({"temporary": true}));
        bot.done(&of_b);
        gateway.send(&alice, json!({"room": "b", "n": 4})).await.expect("stored");
        let of_b = bot.event().await;
        assert_eq!(of_b["data"]["n"], 4);
        bot.done(&of_b);
        let again = bot.event().await;
        assert_eq!((&again["id"], &again["attempt"]), (&first["id"], &json!(2)));
        bot.done(&again);
        let second = bot.event().await;
        assert_eq!((&second["data"]["n"], &second["attempt"]), (&json!(2), &json!(1)));
        bot.done(&second);
        gateway.emptied().await;
    });
}

// NL-8.8
#[test]
fn a_poisoned_event_becomes_a_dead_letter_after_its_tries_and_its_key_goes_on() {
    run(async {
        let gateway = gateway(patient(3));
        let (mut bot, alice) = (Instance::open(&gateway, "i1", 16).await, Caller::of("alice"));
        gateway.send(&alice, json!({"room": "a", "n": 1})).await.expect("stored");
        gateway.send(&alice, json!({"room": "a", "n": 2})).await.expect("stored");
        for attempt in 1..=3 {
            let event = bot.event().await;
            assert_eq!((&event["data"]["n"], &event["attempt"]), (&json!(1), &json!(attempt)));
            bot.failed(&event, &json!({"temporary": true, "retry_after_ms": 5_000}));
        }
        let next = bot.event().await;
        assert_eq!(next["data"]["n"], 2);
        bot.done(&next);
        gateway.dead_lettered(DeadReason::Tries, 3).await;
        gateway.emptied().await;
    });
}

#[test]
fn a_permanent_failure_is_a_dead_letter_at_once() {
    run(async {
        let gateway = gateway(config());
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let event = bot.event().await;
        bot.failed(&event, &json!({"temporary": false}));
        gateway.dead_lettered(DeadReason::Refused, 1).await;
    });
}

#[test]
fn a_pause_that_the_instance_asks_for_is_kept() {
    run(async {
        let gateway = gateway(config());
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let event = bot.event().await;
        bot.failed(&event, &json!({"temporary": true, "retry_after_ms": 60_000}));
        assert!(bot.is_idle(Duration::from_secs(59)).await);
        assert_eq!(bot.event().await["attempt"], 2);
    });
}

// NL-8.7
#[test]
fn events_wait_for_an_absent_service_and_that_is_no_try() {
    run(async {
        let gateway = gateway(config());
        let alice = Caller::of("alice");
        gateway.send(&alice, json!(1)).await.expect("stored");
        tokio::time::sleep(Duration::from_hours(1)).await;
        let mut bot = Instance::open(&gateway, "i1", 0).await;
        assert!(bot.is_idle(Duration::from_mins(10)).await, "it has no credit");
        bot.credit(1);
        let event = bot.event().await;
        assert_eq!((&event["data"], &event["attempt"]), (&json!(1), &json!(1)));
        bot.done(&event);
        gateway.emptied().await;
        assert!(gateway.dead().await.is_empty());
    });
}

// NL-8.7
#[test]
fn what_a_broken_link_had_comes_again_at_once_and_what_was_not_written_is_no_try() {
    run(async {
        let gateway = gateway(by_room());
        let alice = Caller::of("alice");
        let mut first = Instance::open(&gateway, "i1", 16).await;
        gateway.send(&alice, json!({"room": "a"})).await.expect("stored");
        let lost = first.event().await;
        first.breaks().await;
        gateway.send(&alice, json!({"room": "b"})).await.expect("stored");
        let mut second = Instance::open(&gateway, "i2", 16).await;
        let (one, other) = (second.event().await, second.event().await);
        assert_eq!((&one["id"], &one["attempt"]), (&lost["id"], &json!(2)));
        assert_eq!((&other["data"]["room"], &other["attempt"]), (&json!("b"), &json!(1)));
        assert_eq!(gateway.counted(OwnerCount::Lost), 1);
    });
}

#[test]
fn a_frozen_instance_has_its_visibility_and_may_still_acknowledge_later() {
    run(async {
        let gateway = gateway(config());
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let event = bot.event().await;
        assert!(bot.is_idle(Duration::from_secs(29)).await);
        assert_eq!(bot.event().await["attempt"], 2);
        bot.done(&event);
        gateway.emptied().await;
        assert_eq!(gateway.counted(OwnerCount::TimedOut), 1);
    });
}

#[test]
fn an_unknown_id_is_ignored_and_counted() {
    run(async {
        let gateway = gateway(config());
        let (mut bot, mut other) = (Instance::open(&gateway, "i1", 8).await, Instance::open(&gateway, "i2", 0).await);
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let event = bot.event().await;
        bot.send(&json!({"done": {"id": "msg_none"}}));
        other.done(&event);
        assert!(bot.is_idle(LONG).await);
        assert_eq!(gateway.status().await.depth, 1, "another instance cannot end it");
        let (_, counters, _) = gateway.services.queue_counters().next().expect("one queue");
        assert_eq!(counters.unknown_ends(), 2);
        bot.done(&event);
        gateway.emptied().await;
    });
}

#[test]
fn deliveries_leave_half_of_the_credit_for_calls() {
    run(async {
        let replies = Route { answered: crate::services::AnsweredBy::Service, order: OrderedBy::Nothing, ..Route::default() };
        let gateway = gateway(ServiceConfig { route: replies, ..config() });
        let (mut bot, alice) = (Instance::open(&gateway, "i1", 4).await, Caller::of("alice"));
        for n in 0..4 {
            gateway.send(&alice, json!(n)).await.expect("stored");
        }
        let (first, _second) = (bot.event().await, bot.event().await);
        assert!(bot.is_idle(LONG).await, "two of four");
        let services = gateway.services.clone();
        let call = tokio::spawn(async move { services.call("bot.say", gateway_core::model::Data::null(), &alice, LONG).await });
        let frame = bot.frame().await;
        bot.send(&json!({"reply": {"id": frame["call"]["id"], "data": 1}}));
        bot.credit(1);
        call.await.expect("no panic").expect("a reply");
        bot.done(&first);
        assert_eq!(bot.event().await["data"], 2);
    });
}

#[test]
fn a_draining_instance_gets_nothing_new_and_ends_what_it_has() {
    run(async {
        let gateway = gateway(by_room());
        let (mut bot, alice) = (Instance::open(&gateway, "i1", 8).await, Caller::of("alice"));
        gateway.send(&alice, json!({"room": "a"})).await.expect("stored");
        let event = bot.event().await;
        bot.send(&json!({"drain": {}}));
        gateway.send(&alice, json!({"room": "b"})).await.expect("stored");
        assert!(bot.is_idle(LONG).await);
        bot.done(&event);
        assert!(bot.is_idle(LONG).await);
        assert_eq!(gateway.status().await.depth, 1);
        let mut next = Instance::open(&gateway, "i2", 8).await;
        assert_eq!(next.event().await["attempt"], 1);
    });
}

#[test]
fn an_event_that_comes_too_late_is_a_dead_letter_and_was_not_tried() {
    run(async {
        let ServiceConfig { route, .. } = config();
        let gateway = gateway(ServiceConfig { route: Route { expires_after: Some(Duration::from_mins(1)), ..route }, ..config() });
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        tokio::time::sleep(Duration::from_secs(61)).await;
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        gateway.dead_lettered(DeadReason::Expired, 0).await;
        assert!(bot.is_idle(LONG).await);
    });
}
