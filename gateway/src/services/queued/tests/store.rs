//! What is stored, and what is refused.

use super::fixture::{config, data, gateway, gateway_on, partition, queues, run, until};
use crate::{
    queues::QueueStore as _,
    services::{AnsweredBy, CallError, Caller, Deliver, EventResult, QueueConfig, Reach, Reached, Route, ServiceConfig},
    settings::{Callers, OrderedBy},
};
use gateway_core::{
    model::{Data, ErrorCode},
    queue::{NewEntry, QueueName},
};
use serde_json::json;
use std::time::Duration;

fn counted(gateway: &super::fixture::Gateway, result: EventResult) -> u64 {
    gateway.services.queue_counters().map(|(_, counters, _)| counters.events(result)).sum()
}

#[test]
fn a_repeated_call_gets_the_first_id_and_other_data_is_refused() {
    run(async {
        let ServiceConfig { route, .. } = config();
        let gateway = gateway(ServiceConfig { route: Route { idempotency: "/id".parse().ok(), ..route }, ..config() });
        let (alice, elsewhere, bob) = (Caller::of("alice"), Caller::of("alice"), Caller::of("bob"));
        let first = gateway.call(&alice, "buy", json!({"id": 1, "n": 1})).await.expect("stored");
        let repeat = gateway.call(&elsewhere, "buy", json!({"id": 1, "n": 1})).await.expect("known");
        assert_eq!(repeat, first, "on another connection of the user");
        let refused = gateway.call(&alice, "buy", json!({"id": 1, "n": 2})).await.expect_err("other data");
        assert!(matches!(&refused, CallError::Refused(refusal) if refusal.code == ErrorCode::IdempotencyMismatch), "{refused}");
        let without = gateway.call(&alice, "buy", json!({"n": 2})).await.expect_err("no key");
        assert!(matches!(&without, CallError::Refused(refusal) if refusal.code == ErrorCode::BadRequest), "{without}");
        assert_ne!(gateway.call(&bob, "buy", json!({"id": 1, "n": 1})).await.expect("stored"), first);
        gateway.send(&alice, json!({"n": 3})).await.expect("a message needs no idempotency key");
        assert_eq!(gateway.status().await.depth, 3);
        let counts = [EventResult::Stored, EventResult::Repeated, EventResult::OtherData].map(|result| counted(&gateway, result));
        assert_eq!(counts, [3, 1, 1]);
    });
}

// NL-8.9
#[test]
fn a_full_queue_refuses_and_counts() {
    run(async {
        let gateway = gateway_on(queues(2), config());
        let alice = Caller::of("alice");
        for n in 0..2 {
            gateway.send(&alice, json!(n)).await.expect("stored");
        }
        let refusal = gateway.send(&alice, json!(2)).await.expect_err("full");
        assert_eq!(refusal.code, ErrorCode::Overloaded, "{}", refusal.detail);
        let refused = gateway.call(&alice, "say", json!(3)).await.expect_err("full");
        assert!(matches!(refused, CallError::Refused(refusal) if refusal.code == ErrorCode::Overloaded));
        assert_eq!((gateway.status().await.depth, counted(&gateway, EventResult::Full)), (2, 2));
    });
}

#[test]
fn the_route_decides_who_may_send_and_which_key_an_event_needs() {
    run(async {
        let ServiceConfig { route, .. } = config();
        let order = OrderedBy::Member("/room".parse().expect("a pointer"));
        let gateway = gateway(ServiceConfig { route: Route { callers: Callers::Authenticated, order, ..route }, ..config() });
        let code = |refusal: gateway_core::model::Refusal| refusal.code;
        assert_eq!(gateway.send(&Caller::of(""), json!({"room": 1})).await.map_err(code), Err(ErrorCode::PermissionDenied));
        assert_eq!(gateway.send(&Caller::of("alice"), json!({})).await.map_err(code), Err(ErrorCode::BadRequest));
        assert_eq!(gateway.send(&Caller::of("alice"), json!({"room": 1})).await.map_err(code), Ok(()));
        assert_eq!((gateway.status().await.depth, counted(&gateway, EventResult::Refused)), (1, 2));
    });
}

#[test]
fn a_service_that_is_reached_only_by_its_queue_gets_every_call_there_and_answers_no_questions() {
    run(async {
        let queue = QueueConfig { partitions: 1, deliver: Deliver::Stream, ..QueueConfig::default() };
        let gateway = gateway(ServiceConfig { reach: Reach::Queue, queue: Some(queue), ..config() });
        let alice = Caller::of("alice");
        gateway.call(&alice, "anything", json!(1)).await.expect("stored");
        gateway.send(&alice, json!(2)).await.expect("stored");
        tokio::time::sleep(Duration::from_hours(1)).await;
        let status = gateway.status().await;
        assert_eq!((status.depth, status.owner), (2, None), "the gateways only append");
        let refusal = gateway.services.accepts_links("bot").expect_err("no links");
        assert!(refusal.detail.contains("services.bot.reach"), "{}", refusal.detail);
        let summary = gateway.services.summary().remove(0);
        assert_eq!((summary.reached, summary.queue), (Reached::ByQueue, Some(Deliver::Stream)));
    });
    run(async {
        let route = Route { answered: AnsweredBy::Service, ..Route::default() };
        let gateway = gateway(ServiceConfig { reach: Reach::Queue, route, ..config() });
        let call = gateway.services.call("bot.ask", Data::null(), &Caller::of("alice"), Duration::MAX).await;
        assert!(matches!(&call, Err(CallError::Refused(refusal)) if refusal.code == ErrorCode::NotAvailable), "{call:?}");
    });
}

#[test]
fn the_node_is_not_ready_while_a_partition_above_the_settings_has_entries() {
    run(async {
        let queues = queues(10);
        let entry =
            NewEntry { id: "1".into(), key: "".into(), event: data(&json!({})).get().to_owned().into(), expires_after: None, once: None };
        queues.hand_over(&partition(6), entry).await.expect("room").await.expect("stored");
        let gateway = gateway_on(queues.clone(), config());
        until("it was checked", async || gateway.services.queue_problems().iter().any(|why| !why.contains("not known yet"))).await;
        let problems = gateway.services.queue_problems();
        assert_eq!(
            problems,
            [
                "services.bot.partitions is 1, and partition 6 of the queue of bot has 1 entries and 0 dead letters: set it to 7 or more until partition 6 is empty"
            ]
        );
        assert_eq!(queues.purge(&partition(6), 1).await, Ok(1));
        until("it is ready", async || gateway.services.queue_problems().is_empty()).await;
        assert!(matches!(partition(6).queue, QueueName::Service(_)));
    });
}
