//! The way of lifecycle events to one service. An event that the service does not take now waits in a bounded queue.

use super::{
    counters::{Count, Counters},
    instances::{
        instance::{CreditUse, Offered},
        links::Links,
    },
    lifecycle::{
        event::Lifecycle,
        kinds::Interests,
        queue::{Fate, LifecycleLimits, LifecycleQueue},
    },
};
use gateway_core::model::{Tick, lock};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// See the module.
pub(super) struct Outlet {
    queue: Mutex<LifecycleQueue>,
    /// Signals that an event waits.
    arrived: Notify,
    counters: Arc<Counters>,
}

impl Outlet {
    pub(super) fn new(limits: LifecycleLimits, counters: Arc<Counters>) -> Self {
        Self { queue: Mutex::new(LifecycleQueue::new(limits)), arrived: Notify::new(), counters }
    }

    /// Offers an event to the instances of the service. `None` if no instance has ever wanted its kind.
    pub(super) fn offer_to(&self, links: &Links, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Option<Offered> {
        let queue = self.queue();
        let mut pool = links.lock();
        if !pool.interests().contains(Interests::only(event.kind())) {
            return None;
        }
        // A waiting event may have the same subject, and their order stays.
        let offered = if queue.is_empty() { pool.offer(event, credit_use) } else { Offered::NoCredit };
        Some(match (offered, credit_use) {
            (Offered::Sent, _) => {
                self.counters.add(Count::LifecycleSent);
                Offered::Sent
            }
            (refused, CreditUse::AboveReserve) => refused,
            (_, CreditUse::All) => self.push(queue, event, credit_use, now),
        })
    }

    /// Puts an event into the queue. `credit_use` tells whether the event can be offered again later.
    pub(super) fn enqueue(&self, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Offered {
        self.push(self.queue(), event, credit_use, now)
    }

    fn push(&self, mut queue: MutexGuard<'_, LifecycleQueue>, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Offered {
        if !queue.has_room(credit_use == CreditUse::AboveReserve) {
            return Offered::QueueFull;
        }
        queue.push(event.clone(), now);
        self.arrived.notify_one();
        Offered::Waiting
    }

    /// Puts events back that a link did not write before its end.
    pub(super) fn put_back(&self, events: Vec<Lifecycle>, now: Tick) {
        if !events.is_empty() {
            self.queue().put_back(events, now);
            self.arrived.notify_one();
        }
    }

    /// Sends waiting events as far as the instances have credit, and drops those that waited too long. Returns whether none is left.
    pub(super) fn flush(&self, links: &Links, now: Tick) -> bool {
        let mut queue = self.queue();
        let mut pool = links.lock();
        let mut sent = 0;
        queue.visit(|event| {
            // With thousands of waiting events and no credit, the choice of an instance for each would hold up the calls.
            if !pool.has_credit(CreditUse::AboveReserve) || pool.offer(event, CreditUse::AboveReserve) != Offered::Sent {
                return Fate::Wait;
            }
            sent += 1;
            Fate::Leave
        });
        self.counters.add_many(Count::LifecycleSent, sent);
        for expired in queue.remove_expired(now) {
            let has_instance = pool.interested(&expired).is_some();
            self.counters.add(if has_instance { Count::LifecycleNoCredit } else { Count::LifecycleNoInstance });
        }
        queue.is_empty()
    }

    /// Waits until an event has arrived since the last call.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, LifecycleQueue> {
        lock(&self.queue)
    }
}

#[cfg(test)]
mod tests {
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
        let origin = Origin { holder: "n1/1".into(), connection: ConnectionId::random(), user: "alice".parse().expect("valid") };
        let change = if number % 2 == 0 { Change::Connected(origin) } else { Change::Disconnected(origin, End::broken()) };
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
}
