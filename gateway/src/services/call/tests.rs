use super::*;
use crate::services::{
    BreakerLimits, BreakerState, ForwardedParts, LinkLimits, RequestKeeper, Route, ServiceConfig,
    instances::{
        instance::{CallId, LinkId, NewLink, Outgoing},
        pool::{Pool, PoolLimits},
    },
    lifecycle::kinds::Interests,
};
use crate::settings::{Callers, OrderedBy, Settings};
use serde_json::{json, value::to_raw_value};
use shared_proto::link::{Call, ToService};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

mod repeats;

const WITHIN: Duration = Duration::from_mins(1);

fn services(config: ServiceConfig) -> Arc<Services> {
    Arc::new(Services::new([("bot".parse().expect("valid"), config)], LinkLimits::default()))
}

fn data(value: impl serde::Serialize) -> Data {
    Data::parse(&to_raw_value(&value).expect("JSON")).expect("shallow")
}

fn caller() -> Caller {
    Caller { traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()), ..Caller::of("alice") }
}

/// An instance whose frames the test reads and answers.
struct Instance {
    services: Arc<Services>,
    link: LinkId,
    queue: mpsc::Receiver<Outgoing>,
}

impl Instance {
    fn join(services: &Arc<Services>, name: &str, credit: u32) -> Self {
        let (send, queue) = mpsc::channel(16);
        let new_link =
            NewLink { instance: name.into(), credit, interests: Interests::default(), queue: send, replaced: CancellationToken::new() };
        let link = services.service("bot").expect("known").pool().join(new_link, services.now()).expect("room");
        Self { services: Arc::clone(services), link, queue }
    }

    async fn frame(&mut self) -> ToService {
        match self.queue.recv().await {
            Some(Outgoing::Frame(frame)) => frame,
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    async fn call(&mut self) -> Call {
        match self.frame().await {
            ToService::Call(call) => call,
            other => panic!("expected a call, got {other:?}"),
        }
    }

    fn answer(&self, id: u64, answer: CallResult) -> bool {
        self.services.service("bot").expect("known").pool().answer(CallId { link: self.link, id }, answer)
    }

    fn in_flight(&self) -> usize {
        self.services.summary()[0].instances().iter().map(|i| i.in_flight).sum()
    }
}

fn spawn(services: &Arc<Services>, text: &str, caller: &Caller) -> tokio::task::JoinHandle<CallResult> {
    spawn_with(services, "bot.say", data(text), caller)
}

fn spawn_with(services: &Arc<Services>, method: &'static str, data: Data, caller: &Caller) -> tokio::task::JoinHandle<CallResult> {
    let (services, caller) = (Arc::clone(services), caller.clone());
    tokio::spawn(async move { services.call(method, data, &caller, WITHIN).await })
}

fn refused(answer: &CallResult) -> ErrorCode {
    match answer {
        Err(CallError::Refused(refusal)) => refusal.code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_has_all_its_fields_and_returns_the_answer() {
    let services = services(ServiceConfig::default());
    let mut bot = Instance::join(&services, "i1", 4);
    let caller = caller();
    let call = spawn(&services, "hi", &caller);
    let frame = bot.call().await;
    assert_eq!((&*frame.method, frame.data.get(), &*frame.user), ("say", "\"hi\"", "alice"));
    assert_eq!(frame.connection, caller.connection.to_string());
    assert_eq!(frame.order_key, Some(caller.connection.to_string()));
    assert_eq!(frame.traceparent.as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_eq!(frame.deadline_ms, 10_000, "the service's own timeout is shorter than the caller's");
    assert!(bot.answer(frame.id, Ok(data("hello").into())));
    assert_eq!(call.await.expect("no panic"), Ok(data("hello").into()));
    assert_eq!((bot.in_flight(), services.counters().get(Count::CallAnswered)), (0, 1));
    assert!(!bot.answer(frame.id, Ok(data("again").into())), "no caller waits for a second answer");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_sent_has_an_error_with_the_reason() {
    let services = services(ServiceConfig::default());
    let call = |method: &'static str| {
        let services = Arc::clone(&services);
        async move { refused(&services.call(method, Data::null(), &caller(), WITHIN).await) }
    };
    assert_eq!(call("no sense").await, ErrorCode::BadRequest);
    assert_eq!(call("nonsense").await, ErrorCode::NoService);
    assert_eq!(call("other.say").await, ErrorCode::NoService);
    assert_eq!(call("bot.say").await, ErrorCode::ServiceUnavailable, "no instance");
    let bot = Instance::join(&services, "i1", 0);
    assert_eq!(call("bot.say").await, ErrorCode::Overloaded, "no credit");
    services.service("bot").expect("known").pool().credit(bot.link, 1);
    services.service("bot").expect("known").pool().drain(bot.link);
    assert_eq!(call("bot.say").await, ErrorCode::ServiceUnavailable, "the only instance drains");
}

// NL-8.1
#[tokio::test(start_paused = true)]
async fn calls_of_one_connection_go_to_one_instance_in_order() {
    let services = services(ServiceConfig::default());
    let mut bot = Instance::join(&services, "i1", 8);
    let (alice, other) = (caller(), caller());
    let first = spawn(&services, "1", &alice);
    let one = bot.call().await;
    let mut other_instance = Instance::join(&services, "i2", 8);
    let second = spawn(&services, "2", &alice);
    let third = spawn(&services, "3", &alice);
    tokio::task::yield_now().await;
    assert_eq!(services.summary()[0].waiting, 2);
    let side = spawn(&services, "side", &other);
    let side_call = tokio::select! { call = bot.call() => call, call = other_instance.call() => call };
    assert_eq!(side_call.data.get(), "\"side\"", "another connection does not wait");
    bot.answer(one.id, Ok(Data::null().into()));
    let two = bot.call().await;
    assert_eq!(two.data.get(), "\"2\"");
    bot.answer(two.id, Ok(Data::null().into()));
    let three = bot.call().await;
    assert_eq!(three.data.get(), "\"3\"");
    bot.answer(three.id, Ok(Data::null().into()));
    for call in [first, second, third] {
        assert_eq!(call.await.expect("no panic"), Ok(Data::null().into()));
    }
    side.abort();
}

/// A service with these routes: of the service, and of its methods.
fn routed(route: Route, methods: impl IntoIterator<Item = (&'static str, Route)>) -> Arc<Services> {
    let methods = methods.into_iter().map(|(name, route)| (name.into(), route)).collect();
    services(ServiceConfig { route, methods, ..ServiceConfig::default() })
}

fn by_room() -> Route {
    Route { order: OrderedBy::Member("/room".parse().expect("a pointer")), ..Route::default() }
}

// NL-8.1
#[tokio::test(start_paused = true)]
async fn calls_of_one_key_keep_their_order_over_connections() {
    let services = routed(by_room(), []);
    let mut bot = Instance::join(&services, "i1", 8);
    let said = |room: &str, n: u32| data(json!({ "room": room, "n": n }));
    let _calls = [
        spawn_with(&services, "bot.say", said("a", 1), &caller()),
        spawn_with(&services, "bot.say", said("a", 2), &caller()),
        spawn_with(&services, "bot.edit", said("a", 3), &caller()),
        spawn_with(&services, "bot.say", said("b", 4), &caller()),
    ];
    let (one, other_key) = (bot.call().await, bot.call().await);
    assert_eq!((one.data.get(), one.order_key.as_deref()), (said("a", 1).get(), Some("a")));
    assert_eq!(other_key.data.get(), said("b", 4).get(), "another key does not wait");
    assert_eq!(services.summary()[0].waiting, 2);
    bot.answer(one.id, Ok(Data::null().into()));
    let two = bot.call().await;
    assert_eq!(two.data.get(), said("a", 2).get());
    bot.answer(two.id, Ok(Data::null().into()));
    assert_eq!(bot.call().await.data.get(), said("a", 3).get());
    let keyless = services.call("bot.say", data("hi"), &caller(), WITHIN).await;
    assert_eq!(refused(&keyless), ErrorCode::BadRequest);
}

#[tokio::test(start_paused = true)]
async fn a_method_may_have_a_route_of_its_own() {
    let second = Duration::from_secs(1);
    let services = routed(
        Route { callers: Callers::Authenticated, ..Route::default() },
        [("quick", Route { call_timeout: second, ..Route::default() }), ("secret", Route { callers: Callers::Nobody, ..Route::default() })],
    );
    let mut bot = Instance::join(&services, "i1", 8);
    let quick = spawn_with(&services, "bot.quick", Data::null(), &Caller::of(""));
    assert_eq!(bot.call().await.deadline_ms, 1000);
    assert_eq!(refused(&quick.await.expect("no panic")), ErrorCode::Timeout);
    assert!(matches!(bot.frame().await, ToService::Cancel(_)));
    let anonymous = services.call("bot.say", Data::null(), &Caller::of(""), WITHIN).await;
    assert_eq!(refused(&anonymous), ErrorCode::PermissionDenied);
    let secret = services.call("bot.secret", Data::null(), &caller(), WITHIN).await;
    assert_eq!(refused(&secret), ErrorCode::PermissionDenied);
    let event = services.event("bot", Data::null(), &Caller::of("")).await.expect_err("anonymous");
    assert_eq!(event.code, ErrorCode::PermissionDenied);
    let _said = spawn(&services, "hi", &caller());
    assert!(bot.call().await.deadline_ms > 1000, "other methods have the route of the service");
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_a_limit_of_calls_without_an_answer() {
    let services = routed(Route { in_flight_per_connection: 2, ..Route::default() }, []);
    let mut bot = Instance::join(&services, "i1", 8);
    let alice = caller();
    let calls = [spawn(&services, "1", &alice), spawn(&services, "2", &alice)];
    let one = bot.call().await;
    assert_eq!(refused(&spawn(&services, "3", &alice).await.expect("no panic")), ErrorCode::TooManyRequests);
    bot.answer(one.id, Ok(Data::null().into()));
    let two = bot.call().await;
    bot.answer(two.id, Ok(Data::null().into()));
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(Data::null().into()));
    }
    let _fourth = spawn(&services, "4", &alice);
    assert_eq!(bot.call().await.data.get(), "\"4\"");
}

#[tokio::test(start_paused = true)]
async fn a_service_gets_the_headers_that_its_route_names() {
    let toml = "[services.bot]\nforward_headers = [\"user-agent\"]\nforward_address = true\n[services.bot.methods.bare]\nforward_headers = []\nforward_address = false";
    let settings = Settings::from_toml(toml).expect("valid");
    let config = ServiceConfig::new("bot", &settings, &settings.services["bot"]).expect("valid");
    let services = services(config);
    let parts = ForwardedParts::new("", &settings.services["bot"].route).expect("valid");
    let address = "::ffff:192.0.2.7".parse().ok();
    let request = RequestKeeper::new(parts, 2048).keep(address, |_| [&b"me"[..]].into_iter()).expect("small");
    let caller = Caller { request, ..caller() };
    let mut bot = Instance::join(&services, "i1", 8);
    let other = Caller { request: caller.request.clone(), ..Caller::of("bob") };
    let _said = spawn_with(&services, "bot.say", Data::null(), &caller);
    let said = bot.call().await;
    let _bare = spawn_with(&services, "bot.bare", Data::null(), &other);
    let bare = bot.call().await;
    let said = said.request.expect("the route names parts");
    assert_eq!((said.headers["user-agent"].as_str(), said.address.as_deref()), ("me", Some("192.0.2.7")));
    assert_eq!(bare.request, None);
    services.event("bot", Data::null(), &caller).await.expect("credit");
    let ToService::Event(event) = bot.frame().await else { panic!("expected an event") };
    assert_eq!(event.request, Some(said));
}

#[tokio::test(start_paused = true)]
async fn without_order_calls_of_one_connection_run_concurrently() {
    let services = services(ServiceConfig { route: Route { order: OrderedBy::Nothing, ..Route::default() }, ..ServiceConfig::default() });
    let mut bot = Instance::join(&services, "i1", 8);
    let alice = caller();
    let _calls = [spawn(&services, "1", &alice), spawn(&services, "2", &alice)];
    let (one, two) = (bot.call().await, bot.call().await);
    assert_eq!((one.order_key, two.order_key), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_a_dropped_call_frees_its_place() {
    let services = services(ServiceConfig { order_queue: 1, ..ServiceConfig::default() });
    let mut bot = Instance::join(&services, "i1", 8);
    let alice = caller();
    let _first = spawn(&services, "1", &alice);
    let one = bot.call().await;
    let second = spawn(&services, "2", &alice);
    tokio::task::yield_now().await;
    assert_eq!(refused(&spawn(&services, "3", &alice).await.expect("no panic")), ErrorCode::Overloaded);
    second.abort();
    assert!(second.await.is_err());
    let _fourth = spawn(&services, "4", &alice);
    tokio::task::yield_now().await;
    bot.answer(one.id, Ok(Data::null().into()));
    assert_eq!(bot.call().await.data.get(), "\"4\"");
}

#[tokio::test(start_paused = true)]
async fn when_a_waiting_call_is_dropped_the_next_call_gets_its_turn() {
    let services = services(ServiceConfig::default());
    let mut bot = Instance::join(&services, "i1", 8);
    let alice = caller();
    let _first = spawn(&services, "1", &alice);
    let one = bot.call().await;
    let (second, third) = (spawn(&services, "2", &alice), spawn(&services, "3", &alice));
    tokio::task::yield_now().await;
    bot.answer(one.id, Ok(Data::null().into()));
    second.abort();
    assert_eq!(bot.call().await.data.get(), "\"3\"");
    third.abort();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_cancelled_at_the_instance() {
    let services = services(ServiceConfig::default());
    let mut bot = Instance::join(&services, "i1", 1);
    let call = spawn(&services, "1", &caller());
    let one = bot.call().await;
    call.abort();
    assert!(matches!(bot.frame().await, ToService::Cancel(cancel) if cancel.id == one.id));
    assert_eq!((bot.in_flight(), services.counters().get(Count::CallCancelled)), (0, 1));
    assert!(!bot.answer(one.id, Ok(Data::null().into())));
    assert_eq!(services.summary()[0].instances()[0].credit, 0, "only the instance grants new credit");
}

#[tokio::test(start_paused = true)]
async fn timeouts_cancel_and_open_the_breaker_until_a_probe_is_answered() {
    let breaker = BreakerLimits { failures: 2, open_for: Duration::from_secs(5) };
    let services = services(ServiceConfig { breaker, ..ServiceConfig::default() });
    let mut bot = Instance::join(&services, "i1", 8);
    for _ in 0..2 {
        let call = spawn(&services, "slow", &caller());
        let frame = bot.call().await;
        assert_eq!(refused(&call.await.expect("no panic")), ErrorCode::Timeout);
        assert!(matches!(bot.frame().await, ToService::Cancel(cancel) if cancel.id == frame.id));
    }
    assert_eq!(services.summary()[0].instances()[0].breaker, BreakerState::Open);
    assert_eq!(refused(&spawn(&services, "no", &caller()).await.expect("no panic")), ErrorCode::ServiceUnavailable);
    tokio::time::advance(Duration::from_secs(6)).await;
    let probe = spawn(&services, "probe", &caller());
    let frame = bot.call().await;
    assert_eq!(refused(&spawn(&services, "no", &caller()).await.expect("no panic")), ErrorCode::ServiceUnavailable);
    bot.answer(frame.id, Ok(Data::null().into()));
    assert_eq!(probe.await.expect("no panic"), Ok(Data::null().into()));
    assert_eq!(services.summary()[0].instances()[0].breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_had_to_wait_does_not_open_the_breaker() {
    let breaker = BreakerLimits { failures: 1, open_for: Duration::from_secs(5) };
    let services = services(ServiceConfig { breaker, ..ServiceConfig::default() });
    let mut bot = Instance::join(&services, "i1", 8);
    let alice = caller();
    let first = spawn(&services, "1", &alice);
    let one = bot.call().await;
    let second = spawn(&services, "2", &alice);
    tokio::time::sleep(Duration::from_secs(9)).await;
    bot.answer(one.id, Ok(Data::null().into()));
    assert_eq!(first.await.expect("no panic"), Ok(Data::null().into()));
    assert_eq!(bot.call().await.deadline_ms, 1000, "what is left");
    assert_eq!(refused(&second.await.expect("no panic")), ErrorCode::Timeout);
    assert_eq!(services.summary()[0].instances()[0].breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_fails_sent_calls_as_unknown_and_unsent_calls_as_unavailable() {
    let services = services(ServiceConfig::default());
    let bot = Instance::join(&services, "i1", 8);
    let (sent, unsent) = (spawn(&services, "1", &caller()), spawn(&services, "2", &caller()));
    tokio::task::yield_now().await;
    services.service("bot").expect("known").pool().leave(bot.link, &[2].into(), services.now());
    assert_eq!(refused(&sent.await.expect("no panic")), ErrorCode::Timeout);
    assert_eq!(refused(&unsent.await.expect("no panic")), ErrorCode::ServiceUnavailable);
}

#[tokio::test(start_paused = true)]
async fn a_sent_call_whose_answer_the_gateway_lost_may_have_been_carried_out() {
    let services = services(ServiceConfig::default());
    let mut bot = Instance::join(&services, "i1", 8);
    let call = spawn(&services, "1", &caller());
    bot.call().await;
    let limits = PoolLimits { instances: 1, in_flight: 1, breaker: BreakerLimits::default() };
    *services.service("bot").expect("known").pool() = Pool::new("bot".into(), limits);
    assert_eq!(refused(&call.await.expect("no panic")), ErrorCode::Timeout);
}

#[tokio::test(start_paused = true)]
async fn operators_see_how_long_the_calls_of_an_instance_took() {
    let services = services(ServiceConfig::default());
    let mut bot = Instance::join(&services, "i1", 8);
    let latency = || services.summary()[0].instances()[0].latency;
    let (answered, left) = (spawn(&services, "answered", &caller()), spawn(&services, "left", &caller()));
    let (frame, _) = (bot.call().await, bot.call().await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(latency(), None);
    left.abort();
    bot.answer(frame.id, Ok(Data::null().into()));
    answered.await.expect("no panic").expect("an answer");
    let one = latency().expect("one call");
    assert!(one.calls == 1 && one.p50 >= Duration::from_secs(3) && one.p50 < Duration::from_millis(3400), "{one:?}");
    let timeout = spawn(&services, "slow", &caller());
    assert_eq!(refused(&timeout.await.expect("no panic")), ErrorCode::Timeout);
    let two = latency().expect("two calls");
    assert!(two.calls == 2 && two.p99 >= Duration::from_secs(10), "a call counts until its deadline: {two:?}");
}
