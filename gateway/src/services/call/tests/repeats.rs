//! Calls whose route has keys.

use super::*;
use crate::broker::{Broker, MemoryBroker, MemoryLimits};

/// Services whose calls have the key `/id`, except those of the method "status".
fn keyed() -> Arc<Services> {
    keyed_with(Route::default())
}

fn keyed_with(route: Route) -> Arc<Services> {
    let methods = [("status".into(), route.clone())].into();
    let route = Route { idempotency: "/id".parse().ok(), ..route };
    keyed_by(ServiceConfig { route, methods, ..ServiceConfig::default() })
}

fn keyed_by(config: ServiceConfig) -> Arc<Services> {
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default())));
    Arc::new(Services::new([("bot".parse().expect("valid"), config)], LinkLimits::default()).with_answers(broker, 1024))
}

fn call(services: &Arc<Services>, id: u32, caller: &Caller) -> tokio::task::JoinHandle<CallResult> {
    call_method(services, "bot.say", id, caller)
}

fn call_method(services: &Arc<Services>, method: &'static str, id: u32, caller: &Caller) -> tokio::task::JoinHandle<CallResult> {
    spawn_with(services, method, data(json!({ "id": id })), caller)
}

// NL-8.1
#[tokio::test(start_paused = true)]
async fn calls_with_and_without_a_key_keep_their_order() {
    for order in [OrderedBy::Connection, OrderedBy::Member("/id".parse().expect("a pointer"))] {
        let services = keyed_with(Route { order, ..Route::default() });
        let mut bot = Instance::join(&services, "i1", 9);
        let alice = caller();
        let orders = [["buy", "status", "sell"], ["status", "buy", "sell"], ["buy", "sell", "status"]];
        for (id, methods) in (1..).zip(orders) {
            let calls = methods.map(|method| {
                let name = match method {
                    "buy" => "bot.buy",
                    "sell" => "bot.sell",
                    _ => "bot.status",
                };
                call_method(&services, name, id, &alice)
            });
            for method in methods {
                let frame = bot.call().await;
                assert_eq!(&*frame.method, method);
                bot.answer(frame.id, Ok(Data::null().into()));
            }
            for call in calls {
                assert_eq!(call.await.expect("no panic"), Ok(Data::null().into()));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_that_waits_keeps_no_turn_and_counts_for_the_limits() {
    let services = keyed_with(Route { in_flight_per_user: 2, ..Route::default() });
    let mut bot = Instance::join(&services, "i1", 8);
    let (phone, laptop) = (Caller::of("alice"), Caller::of("alice"));
    let first = call(&services, 1, &phone);
    let frame = bot.call().await;
    let repeat = call(&services, 1, &laptop);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(refused(&call(&services, 2, &phone).await.expect("no panic")), ErrorCode::TooManyRequests);
    let status = call_method(&services, "bot.status", 3, &laptop);
    assert_eq!(&*bot.call().await.method, "status", "the repeat on its connection does not block it");
    status.abort();
    bot.answer(frame.id, Ok(data("done").into()));
    for call in [first, repeat] {
        assert_eq!(call.await.expect("no panic"), Ok(data("done").into()));
    }
    let _next = call(&services, 2, &phone);
    assert!(matches!(bot.frame().await, ToService::Cancel(_)));
    assert_eq!(bot.call().await.data.get(), "{\"id\":2}", "their places are free");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_caller_left_before_is_not_sent_though_it_has_its_turn() {
    let services = keyed();
    let bot = Instance::join(&services, "i1", 8);
    let (method, caller, keys, deadline) = ("say".into(), caller(), CallKeys::default(), Instant::now() + WITHIN);
    let service = services.service("bot").expect("known");
    let permit = Arc::new(service.routes.of("say").limits.enter(&caller).expect("room"));
    let call = AdmittedCall { service: service.name.clone(), method, data: Data::null(), caller, keys, deadline, permit };
    let answer = services.begin(call, std::future::ready(())).expect("room").await;
    assert_eq!((refused(&answer), bot.in_flight()), (ErrorCode::ConnectionGone, 0));
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
async fn a_repeat_gets_its_answer_though_too_many_calls_wait_and_another_call_keeps_no_key() {
    let route = Route { idempotency: "/id".parse().ok(), ..Route::default() };
    let services = keyed_by(ServiceConfig { route, order_queue: 1, ..ServiceConfig::default() });
    let mut bot = Instance::join(&services, "i1", 9);
    let alice = Caller::of("alice");
    let first = call(&services, 1, &alice);
    let frame = bot.call().await;
    bot.answer(frame.id, Ok(data("done").into()));
    assert_eq!(first.await.expect("no panic"), Ok(data("done").into()));
    let calls = [call(&services, 2, &alice), call(&services, 3, &alice)];
    let frame = bot.call().await;
    assert_eq!(services.summary()[0].waiting, 1);
    assert_eq!(call(&services, 1, &alice).await.expect("no panic"), Ok(data("done").into()));
    assert_eq!(refused(&call(&services, 4, &alice).await.expect("no panic")), ErrorCode::Overloaded);
    bot.answer(frame.id, Ok(Data::null().into()));
    let frame = bot.call().await;
    bot.answer(frame.id, Ok(Data::null().into()));
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(Data::null().into()));
    }
    let _again = call(&services, 4, &alice);
    assert_eq!(bot.call().await.data.get(), "{\"id\":4}", "its key is free");
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
