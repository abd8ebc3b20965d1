use super::*;
use crate::services::{Change, End, Lifecycle, LifecycleKind, Origin};
use gateway_core::model::ConnectionId;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn pool(instances: usize) -> Pool {
    let breaker = BreakerLimits { failures: 1, open_for: Duration::from_secs(5) };
    Pool::new("bot".into(), PoolLimits { instances, in_flight: 1000, breaker })
}

fn join(pool: &mut Pool, name: &str, credit: u32) -> (LinkId, mpsc::Receiver<Outgoing>, CancellationToken) {
    join_with(pool, name, credit, Interests::default()).expect("room")
}

fn join_with(
    pool: &mut Pool,
    name: &str,
    credit: u32,
    interests: Interests,
) -> Result<(LinkId, mpsc::Receiver<Outgoing>, CancellationToken), Refusal> {
    let (queue, queued) = mpsc::channel(4096);
    let replaced = CancellationToken::new();
    let new_link = NewLink { instance: name.into(), credit, interests, queue, replaced: replaced.clone() };
    Ok((pool.join(new_link, Tick(0))?, queued, replaced))
}

fn call() -> Call {
    Call {
        id: 0,
        method: "say".into(),
        data: RawValue::NULL.to_owned(),
        user: String::new(),
        connection: String::new(),
        meta: None,
        deadline_ms: 1,
        traceparent: None,
        order_key: None,
        idempotency_key: None,
        request: None,
    }
}

fn event() -> Event {
    Event {
        id: None,
        method: None,
        attempt: None,
        partition: None,
        key: None,
        generation: None,
        time: None,
        kind: "message".into(),
        data: RawValue::NULL.to_owned(),
        user: String::new(),
        connection: String::new(),
        meta: None,
        traceparent: None,
        request: None,
    }
}

fn start(pool: &mut Pool) -> Result<(CallId, Arc<str>, oneshot::Receiver<CallResult>), Refusal> {
    let (send, receive) = oneshot::channel();
    pool.start(Choice::LessBusy, call(), send, Tick(0)).map(|(id, name)| (id, name, receive))
}

#[test]
fn credit_is_never_exceeded_and_can_be_added() {
    let mut pool = pool(4);
    let (link, mut queued, _) = join(&mut pool, "i1", 3);
    let mut calls = Vec::new();
    while let Ok(call) = start(&mut pool) {
        calls.push(call);
    }
    assert_eq!(calls.len(), 3);
    assert_eq!(start(&mut pool).expect_err("no credit").code, ErrorCode::Overloaded);
    assert_eq!(pool.send(event(), Tick(0)).expect_err("no credit").code, ErrorCode::Overloaded);
    pool.credit(link, 1);
    pool.send(event(), Tick(0)).expect("an event uses credit like a call");
    assert_eq!(pool.summary(Tick(0))[0].credit, 0);
    pool.credit(link, u32::MAX);
    assert_eq!(pool.summary(Tick(0))[0].credit, CREDIT_MAX);
    assert_eq!(std::iter::from_fn(|| queued.try_recv().ok()).count(), 4);
}

#[test]
fn calls_in_flight_are_limited_over_all_instances() {
    let breaker = BreakerLimits::default();
    let mut pool = Pool::new("bot".into(), PoolLimits { instances: 4, in_flight: 2, breaker });
    let _links = [join(&mut pool, "i1", 10), join(&mut pool, "i2", 10)];
    let calls = [start(&mut pool).expect("room"), start(&mut pool).expect("room")];
    assert_eq!(start(&mut pool).expect_err("full").code, ErrorCode::Overloaded);
    assert!(pool.answer(calls[0].0, Ok(gateway_core::model::Data::null().into())));
    start(&mut pool).expect("room again");
}

#[test]
fn the_less_busy_of_two_gets_the_call() {
    let mut pool = pool(4);
    let _links = [join(&mut pool, "i1", 2000), join(&mut pool, "i2", 2000)];
    let _calls: Vec<_> = (0..1000).map(|_| start(&mut pool).expect("credit")).collect();
    let loads: Vec<_> = pool.summary(Tick(0)).iter().map(|i| i.in_flight).collect();
    assert!(loads.iter().all(|&n| (450..=550).contains(&n)), "{loads:?}");
}

// NL-8.1
#[test]
fn a_key_goes_to_the_instance_that_every_node_chooses_and_to_no_other() {
    let mut nodes = [pool(4), pool(4)];
    let names = ["i1", "i2", "i3"];
    let links = nodes.each_mut().map(|pool| names.map(|name| join(pool, name, 40)));
    let mut start =
        |node: usize, key: &str| nodes[node].start(Choice::OfKey(key), call(), oneshot::channel().0, Tick(0)).map(|(_, name)| name);
    let keys: Vec<_> = (0..30).map(|key| key.to_string()).collect();
    let chosen: Vec<_> = keys.iter().map(|key| start(0, key).expect("credit")).collect();
    assert_eq!(chosen, keys.iter().map(|key| start(1, key).expect("credit")).collect::<Vec<_>>());
    assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), 3, "the keys are spread: {chosen:?}");
    let refusal = (0..40).find_map(|_| start(0, "a").err()).expect("40 credits are used up");
    assert!(refusal.code == ErrorCode::Overloaded && refusal.detail.contains("which handles the calls of this key"), "{}", refusal.detail);
    let gone = nodes[1].start(Choice::OfKey("a"), call(), oneshot::channel().0, Tick(0)).expect("credit").1;
    let at = names.iter().position(|name| **name == *gone).expect("known");
    nodes[1].drain(links[1][at].0);
    let next = nodes[1].start(Choice::OfKey("a"), call(), oneshot::channel().0, Tick(0)).expect("credit").1;
    assert_ne!(next, gone, "a draining instance hands its keys over");
}

// NL-8.1
#[test]
fn the_instance_of_the_last_call_is_kept_while_it_can_get_calls() {
    let mut pool = pool(4);
    let (link, _queued, _) = join(&mut pool, "i1", 1);
    let _other = join(&mut pool, "i2", 9);
    let start = |pool: &mut Pool| pool.start(Choice::Same("i1"), call(), oneshot::channel().0, Tick(0)).map(|(_, name)| name);
    assert_eq!(start(&mut pool).as_deref(), Ok("i1"));
    assert_eq!(start(&mut pool).expect_err("no credit").code, ErrorCode::Overloaded, "the other instance has credit");
    pool.drain(link);
    assert_eq!(start(&mut pool).as_deref(), Ok("i2"));
}

#[test]
fn a_second_link_of_an_instance_replaces_the_first() {
    let mut pool = pool(1);
    let (old, _queued, replaced) = join(&mut pool, "i1", 1);
    let (_, _, mut answer) = start(&mut pool).expect("credit");
    let (new, _queued, _) = join(&mut pool, "i1", 1);
    assert!(replaced.is_cancelled());
    assert!(matches!(answer.try_recv(), Ok(Err(CallError::Refused(r))) if r.code == ErrorCode::Timeout));
    pool.leave(old, &HashSet::new(), Tick(0));
    assert_eq!(pool.summary(Tick(0)).len(), 1, "the end of the old link does not affect the new one");
    assert_ne!(old, new);
    assert!(join_with(&mut pool, "i2", 1, Interests::default()).is_err(), "the number of instances is limited");
}

#[test]
fn a_breaker_stays_open_when_its_link_is_replaced() {
    let mut pool = pool(4);
    let (link, _queued, _) = join(&mut pool, "i1", 1);
    let _call = start(&mut pool).expect("credit");
    pool.leave(link, &HashSet::new(), Tick(0));
    let (_, _queued, _) = join(&mut pool, "i1", 1);
    assert_eq!(pool.summary(Tick(0))[0].breaker, BreakerState::Open);
    assert_eq!(start(&mut pool).expect_err("open").code, ErrorCode::ServiceUnavailable);
    assert_eq!(pool.summary(Tick(5000))[0].breaker, BreakerState::HalfOpen);
}

#[test]
fn answers_that_nobody_waits_for_do_not_close_a_breaker() {
    let mut pool = pool(4);
    let (link, _queued, _) = join(&mut pool, "i1", 3);
    let (late, ..) = start(&mut pool).expect("credit");
    pool.abandon(late, AbandonReason::Deadline, Tick(0));
    for id in [late.id, late.id + 1] {
        assert!(!pool.answer(CallId { link, id }, Ok(gateway_core::model::Data::null().into())));
        assert_eq!(pool.summary(Tick(0))[0].breaker, BreakerState::Open);
    }
    pool.start(Choice::LessBusy, call(), oneshot::channel().0, Tick(5000)).expect("a probe");
    assert!(!pool.answer(CallId { link, id: 2 }, Ok(gateway_core::model::Data::null().into())), "the caller no longer waits");
    assert_eq!(pool.summary(Tick(5000))[0].breaker, BreakerState::Closed);
}

#[test]
fn an_instance_that_an_operator_drains_gets_no_calls_and_stays_drained_when_it_opens_another_link() {
    let mut pool = pool(2);
    let interests = Interests::only(LifecycleKind::Connected);
    let _queues = (join_with(&mut pool, "i1", 10, interests).expect("room"), join(&mut pool, "i2", 10));
    assert!(pool.has_instance("i1") && !pool.has_instance("i3"));
    assert_eq!((pool.drain_instance("i1"), pool.drain_instance("i1")), (None, None));
    let state = |pool: &Pool| pool.summary(Tick(0)).iter().map(|i| (i.draining, i.in_flight)).collect::<Vec<_>>();
    let _calls: Vec<_> = (0..5).map(|_| start(&mut pool).expect("credit")).collect();
    assert_eq!(state(&pool), [(true, 0), (false, 5)]);
    let origin = Origin { holder: "n1/1".into(), connection: ConnectionId::random(), user: "alice".parse().expect("valid"), meta: None };
    let event = Lifecycle::new(Change::Connected(origin));
    assert_eq!(pool.offer(&event, CreditUse::All), Offered::NoInstance);
    let again = join(&mut pool, "i1", 10);
    assert_eq!(state(&pool)[0], (true, 0));
    pool.drain_instance("i2");
    let refusal = start(&mut pool).expect_err("both are drained");
    assert_eq!((refusal.code, refusal.retry_after), (ErrorCode::ServiceUnavailable, None));
    assert!(pool.undrain_instance("i1"));
    start(&mut pool).expect("it is used again");
    pool.drain(again.0);
    pool.undrain_instance("i1");
    assert_eq!(state(&pool)[0], (true, 1), "it will leave, whatever an operator says");
}

#[test]
fn an_order_counts_for_an_instance_without_a_link() {
    let mut pool = pool(2);
    assert!(!pool.undrain_instance("i1"), "nobody knows it");
    let is_drained = |pool: &mut Pool| {
        let (link, _queue, _) = join(pool, "i1", 1);
        let draining = pool.summary(Tick(0))[0].draining;
        pool.leave(link, &HashSet::new(), Tick(0));
        draining
    };
    assert_eq!(pool.drain_instance("i1"), None);
    assert!(pool.has_instance("i1") && is_drained(&mut pool) && is_drained(&mut pool));
    assert!(pool.undrain_instance("i1"), "it was drained");
    assert!(!is_drained(&mut pool) && !pool.has_instance("i1"));
}

#[test]
fn above_the_limit_the_oldest_order_for_an_instance_without_a_link_is_forgotten() {
    let mut pool = pool(2);
    let _linked = (join(&mut pool, "i0", 1), join(&mut pool, "i1", 1));
    let forgotten: Vec<_> = (0..9).filter_map(|n| pool.drain_instance(&format!("i{n}"))).collect();
    assert_eq!(forgotten.iter().map(|name| &**name).collect::<Vec<_>>(), ["i2", "i3", "i4", "i5", "i6"]);
    assert_eq!(pool.drain_instance("i7"), None, "it has an order already, which is now the newest");
    assert_eq!(pool.drain_instance("i9").as_deref(), Some("i8"));
    let drained: Vec<_> = (0..10).filter(|n| pool.undrain_instance(&format!("i{n}"))).collect();
    assert_eq!(drained, [0, 1, 7, 9]);
}

#[test]
fn lifecycle_events_of_one_subject_go_to_one_interested_instance() {
    let mut pool = pool(8);
    let interests = Interests::only(LifecycleKind::Connected);
    let mut interested: Vec<_> = ["i1", "i2", "i3"].iter().map(|n| join_with(&mut pool, n, 100, interests).expect("room")).collect();
    let mut uninterested = join(&mut pool, "i4", 100);
    let origin = Origin { holder: "n1/1".into(), connection: ConnectionId::random(), user: "alice".parse().expect("valid"), meta: None };
    let connected = Lifecycle::new(Change::Connected(origin.clone()));
    for _ in 0..10 {
        assert_eq!(pool.offer(&connected, CreditUse::All), Offered::Sent);
    }
    let disconnected = Lifecycle::new(Change::Disconnected(origin, End::broken()));
    assert_eq!(pool.offer(&disconnected, CreditUse::All), Offered::NoInstance);
    let mut counts: Vec<_> = interested.iter_mut().map(|(_, q, _)| std::iter::from_fn(|| q.try_recv().ok()).count()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 10]);
    assert!(uninterested.1.try_recv().is_err());
}
