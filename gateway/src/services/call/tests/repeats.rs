//! Calls whose route has keys.

use super::*;
use crate::broker::{Broker, MemoryBroker, MemoryLimits};

/// Services whose calls have the key `/id`.
fn keyed() -> Arc<Services> {
    let route = Route { idempotency: "/id".parse().ok(), ..Route::default() };
    let config = ServiceConfig { route, ..ServiceConfig::default() };
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default())));
    Arc::new(Services::new([("bot".parse().expect("valid"), config)], LinkLimits::default()).with_answers(broker, 1024))
}

fn call(services: &Arc<Services>, id: u32, caller: &Caller) -> tokio::task::JoinHandle<CallResult> {
    let raw = to_raw_value(&serde_json::json!({ "id": id })).expect("JSON");
    let (services, data, caller) = (Arc::clone(services), Data::parse(&raw).expect("shallow"), caller.clone());
    tokio::spawn(async move { services.call("bot.say", data, &caller, WITHIN).await })
}

#[tokio::test(start_paused = true)]
async fn a_repeat_costs_no_credit_and_no_turn_on_any_connection_of_the_user() {
    let services = keyed();
    let mut bot = Instance::join(&services, "i1", 2);
    let (phone, laptop) = (Caller::of("alice"), Caller::of("alice"));
    let first = call(&services, 1, &phone);
    let frame = bot.call().await;
    assert_eq!(frame.idempotency_key.as_deref(), Some("1"));
    bot.answer(frame.id, Ok(data("done").into()));
    assert_eq!(first.await.expect("no panic"), Ok(data("done").into()));
    let blocking = call(&services, 2, &laptop);
    bot.call().await;
    for caller in [&phone, &laptop] {
        assert_eq!(
            call(&services, 1, caller).await.expect("no panic"),
            Ok(data("done").into()),
            "the turn of the laptop is taken, and no credit is left"
        );
    }
    assert_eq!(
        refused(&call(&services, 1, &Caller::of("bob")).await.expect("no panic")),
        ErrorCode::Overloaded,
        "another user's call is another call"
    );
    assert_eq!(services.counters().get(Count::RepeatAnswered), 2);
    blocking.abort();
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_caller_left_is_sent_only_if_it_had_its_turn() {
    let services = keyed();
    let mut bot = Instance::join(&services, "i1", 8);
    let alice = Caller::of("alice");
    let sent = call(&services, 1, &alice);
    let frame = bot.call().await;
    let waiting = call(&services, 2, &alice);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(services.summary()[0].waiting, 1);
    for left in [sent, waiting] {
        left.abort();
        assert!(left.await.is_err());
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((services.summary()[0].waiting, bot.in_flight()), (0, 1), "the first goes on");
    bot.answer(frame.id, Ok(data("done").into()));
    let again = Caller::of("alice");
    assert_eq!(call(&services, 1, &again).await.expect("no panic"), Ok(data("done").into()));
    let second = call(&services, 2, &again);
    let frame = bot.call().await;
    assert_eq!(frame.data.get(), "{\"id\":2}", "its key is free");
    bot.answer(frame.id, Ok(Data::null().into()));
    assert_eq!(second.await.expect("no panic"), Ok(Data::null().into()));
    let counts = [Count::CallCancelled, Count::CallAnswered].map(|count| services.counters().get(count));
    assert_eq!(counts, [1, 3], "each call counts once, with or without its caller");
}
