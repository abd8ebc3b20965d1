use super::*;
use crate::services::{
    Change, End, LifecycleKind, LinkLimits, Origin, Receipt, ServiceConfig, Services,
    instances::instance::{LinkId, NewLink, Outgoing},
};
use gateway_core::model::ConnectionId;
use std::{
    collections::HashSet,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const TTL: Duration = Duration::from_secs(60);

fn services() -> Services {
    let lifecycle = LifecycleLimits { queue_events: 4, event_ttl: TTL, ..LifecycleLimits::default() };
    let bot = ServiceConfig { lifecycle, ..ServiceConfig::default() };
    Services::new([("bot".parse().expect("valid"), bot)], LinkLimits::default())
}

fn join(services: &Services, credit: u32) -> (LinkId, mpsc::Receiver<Outgoing>) {
    let (queue, queued) = mpsc::channel(16);
    let interests = Interests::only(LifecycleKind::Connected).union(Interests::only(LifecycleKind::Disconnected));
    let new_link = NewLink { instance: "i1".into(), credit, interests, queue, replaced: CancellationToken::new() };
    let link = services.service("bot").expect("known").pool().join(new_link, services.now()).expect("room");
    services.refresh_interests();
    (link, queued)
}

fn event(number: u64) -> Lifecycle {
    let origin = Origin { holder: "n1/1".into(), connection: ConnectionId::random(), user: "alice".parse().expect("valid"), meta: None };
    let change = if number.is_multiple_of(2) { Change::Connected(origin) } else { Change::Disconnected(origin, End::broken()) };
    Lifecycle { time_ms: number, ..Lifecycle::new(change) }
}

fn numbers(queued: &mut mpsc::Receiver<Outgoing>) -> Vec<u64> {
    let next = || queued.try_recv().ok();
    std::iter::from_fn(next).map(|it| if let Outgoing::Lifecycle(event) = it { event.time_ms } else { u64::MAX }).collect()
}

fn counts(services: &Services) -> [u64; 4] {
    use Count::{LifecycleNoCredit, LifecycleNoInstance, LifecycleQueueFull, LifecycleSent};
    [LifecycleSent, LifecycleQueueFull, LifecycleNoCredit, LifecycleNoInstance].map(|count| services.counters.get(count))
}

#[tokio::test(start_paused = true)]
async fn events_without_credit_wait_in_their_order_and_those_without_room_are_counted() {
    let services = services();
    let (link, mut queued) = join(&services, 1);
    (0..7).for_each(|number| services.send_lifecycle(&event(number)));
    assert_eq!((numbers(&mut queued), counts(&services)), (vec![0], [1, 2, 0, 0]), "one has credit, four wait");
    let sent = async {
        services.service("bot").expect("known").pool().credit(link, 3);
        tokio::time::sleep(CREDIT_TIME).await;
        assert_eq!(numbers(&mut queued), [1, 2, 3]);
        services.send_lifecycle(&event(7));
        services.service("bot").expect("known").pool().credit(link, 9);
        tokio::time::sleep(CREDIT_TIME).await;
        assert_eq!(numbers(&mut queued), [4, 7], "a new event comes after one that waits");
    };
    tokio::select! {
        () = services.send_waiting_events() => panic!("it never returns"),
        () = sent => {}
    }
    assert_eq!(counts(&services), [6, 2, 0, 0]);
}

/// Longer than the pause between two looks at the credit.
const CREDIT_TIME: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn events_that_wait_too_long_are_dropped_and_counted_with_their_cause() {
    let services = services();
    services.send_lifecycle(&event(0));
    assert_eq!(counts(&services), [0; 4], "no service wants it");
    let (link, _queued) = join(&services, 0);
    services.send_lifecycle(&event(0));
    let waits = async {
        tokio::time::sleep(TTL + CREDIT_TIME).await;
        assert_eq!(counts(&services), [0, 0, 1, 0]);
        services.service("bot").expect("known").pool().leave(link, &HashSet::new(), services.now());
        services.send_lifecycle(&event(0));
        tokio::time::sleep(TTL + CREDIT_TIME).await;
        assert_eq!(counts(&services), [0, 0, 1, 1]);
    };
    tokio::select! {
        () = services.send_waiting_events() => panic!("it never returns"),
        () = waits => {}
    }
}

#[tokio::test]
async fn the_registry_may_forget_an_event_once_it_is_written_or_dropped() {
    let (services, forgotten) = (services(), Arc::new(AtomicU32::new(0)));
    let registered = |number| {
        let forgotten = forgotten.clone();
        event(number).with_receipt(Some(Receipt::new(move || {
            forgotten.fetch_add(1, Relaxed);
        })))
    };
    let (_, mut queued) = join(&services, 1);
    services.send_lifecycle(&registered(0));
    assert_eq!(forgotten.load(Relaxed), 0, "it is not written yet");
    queued.recv().await.expect("the first");
    assert_eq!(forgotten.load(Relaxed), 1);
    (1..6).for_each(|number| services.send_lifecycle(&registered(number)));
    assert_eq!(forgotten.load(Relaxed), 2, "the last one finds no room");
}

#[tokio::test]
async fn events_that_a_link_did_not_write_go_to_the_next_one_first() {
    let services = services();
    let service = services.service("bot").expect("known");
    let (link, mut queued) = join(&services, 2);
    (0..3).for_each(|number| services.send_lifecycle(&event(number)));
    let unwritten = std::iter::from_fn(|| queued.try_recv().ok());
    let unwritten = unwritten.filter_map(|it| if let Outgoing::Lifecycle(event) = it { Some(event) } else { None }).collect();
    service.outlet.put_back(unwritten, services.now());
    service.pool().leave(link, &HashSet::new(), services.now());
    let (_, mut queued) = join(&services, 8);
    assert!(service.outlet.flush(service.links().expect("reached by links"), services.now()));
    assert_eq!(numbers(&mut queued), [0, 1, 2]);
}
