//! Passes on what the cluster reports: what ended with dead nodes, and which channels became occupied and vacant.
//!
//! The cluster hands over what ended with a node repeatedly until its event is sent or dropped. So an event that no instance accepts now is sent later,
//! perhaps by another node, and perhaps twice.

use super::{
    counters::Count,
    instances::instance::CreditUse,
    lifecycle::{
        event::{Change, End, Lifecycle, Occupation, Origin, Subscription},
        kinds::{Interests, LifecycleKind},
        receipt::Receipt,
    },
    services::Services,
};
use crate::{
    broker::RegistryKey,
    cluster::{Cluster, DeadNodeEntries, OccupationEvent},
};
use gateway_core::model::{ServiceName, lock};
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

impl Services {
    /// Sends the events that wait over links, and those for which the cluster has the reasons. Makes the cluster look for such reasons as soon as a
    /// service wants them. Never returns.
    pub async fn send_events(&self, cluster: &Cluster) {
        let ends = async {
            let Some(mut found) = cluster.dead_node_entries() else { return };
            let event_ttl = self.event_limits.event_ttl;
            loop {
                match timeout(event_ttl, found.recv()).await {
                    Ok(Some(ended_with_node)) => self.send_ends(ended_with_node),
                    Ok(None) => return,
                    Err(_) => {}
                }
                lock(&self.partly_taken).forget_idle(self.now(), event_ttl);
            }
        };
        let occupations = async {
            let Some(events) = cluster.occupation_events() else { return };
            self.send_occupations(events).await;
        };
        futures_util::future::join4(self.request_reasons(cluster), ends, occupations, self.send_waiting_events()).await;
    }

    /// Makes the cluster look for what services want to know.
    async fn request_reasons(&self, cluster: &Cluster) {
        let mut wanted = self.wanted.subscribe();
        loop {
            let interests = *wanted.borrow_and_update();
            let wants = |kind| interests.contains(Interests::only(kind));
            if wants(LifecycleKind::Disconnected) {
                cluster.register_connections();
            }
            if wants(LifecycleKind::Unsubscribed) {
                cluster.register_subscriptions();
            }
            if wants(LifecycleKind::Occupied) || wants(LifecycleKind::Vacated) {
                cluster.announce_occupations();
            }
            if wanted.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends the events about channels until the cluster stops. An end that no service wants yet waits: after a restart of all nodes, the ends of the
    /// occupations before it may come earlier than the first link.
    async fn send_occupations(&self, mut events: mpsc::Receiver<OccupationEvent>) {
        let mut wanted = self.wanted.subscribe();
        loop {
            let expiry = self.unrequested().expiry().map(|expiry| expiry.since(self.now()));
            let event = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => Some(event),
                    None => return,
                },
                Ok(()) = wanted.changed() => None,
                () = sleep(expiry.unwrap_or(Duration::MAX)) => None,
            };
            // The events of a channel stay in order.
            self.send_unrequested();
            if let Some(event) = event {
                self.send_occupation(event);
            }
        }
    }

    /// Drops the waiting ends that expired, and sends the others if a service wants them now.
    fn send_unrequested(&self) {
        let expired = self.unrequested().remove_expired(self.now());
        self.counters.add_many(Count::LifecycleNotRequested, expired.len() as u64);
        if self.wants(LifecycleKind::Vacated) {
            let requested = self.unrequested().remove(usize::MAX);
            for event in &requested {
                self.send_lifecycle(event);
            }
        }
    }

    fn send_occupation(&self, event: OccupationEvent) {
        match event {
            OccupationEvent::Occupied(channel, generation) => {
                self.send_lifecycle(&Lifecycle::new(Change::Occupied(Occupation { channel, generation })));
            }
            OccupationEvent::Vacated(channel, generation, receipt) => {
                let receipt = Receipt::new(move || drop(receipt));
                self.send_vacated(Lifecycle::new(Change::Vacated(Occupation { channel, generation })).with_receipt(Some(receipt)));
            }
        }
    }

    fn send_vacated(&self, event: Lifecycle) {
        if self.wants(LifecycleKind::Vacated) {
            return self.send_lifecycle(&event);
        }
        let mut unrequested = self.unrequested();
        if unrequested.has_room(false) {
            unrequested.push(event, self.now());
        } else {
            self.counters.add(Count::LifecycleQueueFull);
        }
    }

    /// Sends the events about what ended with a node. Each entry is done once every interested service has its event. Services that have it do not get
    /// it again with the next attempt.
    fn send_ends(&self, ended_with_node: DeadNodeEntries) {
        let DeadNodeEntries { holder, entries, waited, done } = ended_with_node;
        let mut partly_taken = lock(&self.partly_taken).remove(&holder);
        for (key, user) in entries {
            let origin = |connection| Origin { holder: holder.as_str().into(), connection, user, meta: None };
            let change = match &key {
                RegistryKey::Connection(connection) => Change::Disconnected(origin(*connection), End::with_node()),
                RegistryKey::Subscription { connection, number, channel } => {
                    let subscription = Subscription { channel: channel.clone(), number: *number };
                    Change::Unsubscribed(origin(*connection), subscription, End::with_node())
                }
            };
            let done = done.clone();
            let mut takers = partly_taken.remove(&key);
            // The cluster may have stopped waiting. There is room for each entry once.
            let receipt = Receipt::new({
                let key = key.clone();
                move || drop(done.try_send(key))
            });
            takers.hold_back(&receipt);
            let event = Lifecycle::new(change).with_receipt(Some(receipt.clone()));
            let had_it = takers.services.len();
            if !self.send_to_others(&event, waited, &mut takers.services) {
                receipt.cancel();
                if takers.services.len() > had_it {
                    takers.add_sent(&receipt);
                }
                if !takers.services.is_empty() {
                    partly_taken.remember(key, takers, self.event_limits.queue_events);
                }
            }
        }
        lock(&self.partly_taken).remember(holder, partly_taken, self.now());
    }

    /// Sends one of many events, if enough credit remains for calls. Returns whether the event is done: either every interested service has it, or
    /// `waited` reached the limit and the event was dropped and counted.
    pub fn send_until_expired(&self, event: &Lifecycle, waited: Duration) -> bool {
        self.send_to_others(event, waited, &mut Vec::new())
    }

    /// The same, but not to the services that have the event already. Adds those that have it now.
    fn send_to_others(&self, event: &Lifecycle, waited: Duration, takers: &mut Vec<ServiceName>) -> bool {
        let counts = self.offer_to_others(event, CreditUse::AboveReserve, takers);
        let is_over = waited >= self.event_limits.event_ttl;
        match (takers.len(), counts.refused()) {
            (1.., 0) => return true,
            _ if !is_over => {}
            (0, 0) => self.counters.add(Count::LifecycleNotRequested),
            _ => self.count_dropped(counts),
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{
        LifecycleLimits, LinkLimits, ServiceConfig,
        instances::instance::{LinkId, NewLink, Outgoing},
    };
    use gateway_core::model::ConnectionId;
    use std::{
        collections::HashSet,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
    };
    use tokio_util::sync::CancellationToken;

    const LONG: Duration = Duration::from_secs(60);

    fn services() -> Services {
        let bots = ["bot", "log"].map(|name| (name.parse().expect("valid"), ServiceConfig::default()));
        Services::new(bots, LinkLimits::default()).with_event_limits(LifecycleLimits {
            event_ttl: LONG,
            queue_events: 4,
            ..LifecycleLimits::default()
        })
    }

    fn join(services: &Services, name: &str, credit: u32, kind: LifecycleKind) -> (LinkId, mpsc::Receiver<Outgoing>) {
        let (queue, queued) = mpsc::channel(16);
        let interests = Interests::only(kind);
        let new_link = NewLink { instance: "i1".into(), credit, interests, queue, replaced: CancellationToken::new() };
        let link = services.service(name).expect("known").pool().join(new_link, services.now()).expect("room");
        services.refresh_interests();
        (link, queued)
    }

    fn connections(number: usize) -> Vec<RegistryKey> {
        (0..number).map(|_| RegistryKey::Connection(ConnectionId::random())).collect()
    }

    /// Sends the events about these ends. The receiver gets what needs no further attempt, once the events are written.
    fn send(services: &Services, keys: &[RegistryKey], waited: Duration) -> mpsc::Receiver<RegistryKey> {
        let (done, finished) = mpsc::channel(keys.len());
        let entries = keys.iter().map(|key| (key.clone(), "alice".parse().expect("valid"))).collect();
        services.send_ends(DeadNodeEntries { holder: "n2/gen".into(), entries, waited, done });
        finished
    }

    fn all(mut finished: mpsc::Receiver<RegistryKey>) -> Vec<RegistryKey> {
        std::iter::from_fn(|| finished.try_recv().ok()).collect()
    }

    /// Takes the events from the queue of a link, as if they were written.
    fn ids(queued: &mut mpsc::Receiver<Outgoing>) -> Vec<String> {
        let next = || queued.try_recv().ok();
        std::iter::from_fn(next).map(|it| if let Outgoing::Lifecycle(event) = it { event.id() } else { String::new() }).collect()
    }

    fn id(key: &RegistryKey) -> String {
        match key {
            RegistryKey::Connection(connection) => format!("n2/gen/{connection}/disconnected"),
            RegistryKey::Subscription { connection, number, .. } => format!("n2/gen/{connection}/{number}/unsubscribed"),
        }
    }

    // NL-7.4
    #[tokio::test]
    async fn an_end_without_credit_is_sent_later_with_the_same_id() {
        let services = services();
        let (link, mut queued) = join(&services, "bot", 4, LifecycleKind::Disconnected);
        let keys = connections(3);
        let finished = send(&services, &keys, Duration::ZERO);
        assert!(finished.is_empty(), "nothing is written");
        assert_eq!(ids(&mut queued), [id(&keys[0]), id(&keys[1])], "half of the credit is left for calls");
        assert_eq!(all(finished), keys[..2]);
        assert!(all(send(&services, &keys[2..], LONG / 2)).is_empty(), "there is no credit");
        services.service("bot").expect("known").pool().credit(link, 5);
        let finished = send(&services, &keys[2..], LONG / 2);
        assert_eq!(ids(&mut queued), [id(&keys[2])]);
        assert_eq!(all(finished), keys[2..]);
        assert_eq!((services.counters.get(Count::LifecycleSent), services.counters.get(Count::LifecycleNoCredit)), (3, 0));
    }

    #[tokio::test]
    async fn the_end_of_a_subscription_names_its_channel_and_its_number() {
        let services = services();
        let (_, mut queued) = join(&services, "bot", 4, LifecycleKind::Unsubscribed);
        let key = RegistryKey::Subscription { connection: ConnectionId::random(), number: 7, channel: "c:a".parse().expect("valid") };
        let finished = send(&services, std::slice::from_ref(&key), Duration::ZERO);
        let Ok(Outgoing::Lifecycle(event)) = queued.try_recv() else { panic!("one event") };
        assert_eq!(event.id(), id(&key));
        let frame = serde_json::to_value(shared_proto::link::Event::from(&event)).expect("JSON");
        assert_eq!(frame["data"], serde_json::json!({"channel": "c:a", "code": 1006, "reason": "the node died"}));
        drop(event);
        assert_eq!(all(finished), [key]);
    }

    #[tokio::test]
    async fn an_end_waits_until_every_interested_service_has_it() {
        let services = services();
        let done = |services: &Services| all(send(services, &connections(1), Duration::ZERO)).len();
        assert_eq!(done(&services), 0, "no service wants them");
        let (_, mut uninterested) = join(&services, "log", 9, LifecycleKind::Connected);
        assert_eq!(done(&services), 0, "no service wants disconnects");
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (_, mut full) = join(&services, "log", 0, LifecycleKind::Disconnected);
        let finished = send(&services, &connections(1), Duration::ZERO);
        assert_eq!((ids(&mut queued).len(), ids(&mut full).len(), ids(&mut uninterested).len()), (1, 0, 0));
        assert!(all(finished).is_empty(), "one has no credit");
    }

    #[tokio::test]
    async fn an_end_that_waited_too_long_is_dropped_and_counted() {
        let services = services();
        assert_eq!(all(send(&services, &connections(3), LONG)).len(), 3);
        assert_eq!(services.counters.get(Count::LifecycleNotRequested), 3);
        let _joined = join(&services, "bot", 0, LifecycleKind::Disconnected);
        assert_eq!(all(send(&services, &connections(2), LONG)).len(), 2);
        assert_eq!((services.counters.get(Count::LifecycleNoCredit), services.counters.get(Count::LifecycleSent)), (2, 0));
    }

    #[tokio::test]
    async fn kinds_stay_wanted_after_the_first_request() {
        let services = services();
        let mut wanted = services.wanted.subscribe();
        let _joined = join(&services, "log", 1, LifecycleKind::Connected);
        assert_eq!(*wanted.borrow_and_update(), Interests::only(LifecycleKind::Connected));
        let (link, _queued) = join(&services, "bot", 1, LifecycleKind::Disconnected);
        let both = Interests::only(LifecycleKind::Connected).union(Interests::only(LifecycleKind::Disconnected));
        assert_eq!(*wanted.borrow_and_update(), both);
        services.service("bot").expect("known").pool().leave(link, &HashSet::new(), services.now());
        services.refresh_interests();
        assert!(services.wants(LifecycleKind::Disconnected) && *wanted.borrow() == both, "the instance will return");
    }

    #[tokio::test]
    async fn an_end_waits_for_an_interested_service_without_instance() {
        let services = services();
        let (link, _queued) = join(&services, "log", 9, LifecycleKind::Disconnected);
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let mut done = |waited| {
            let finished = send(&services, &connections(1), waited);
            assert_eq!(ids(&mut queued).len(), 1);
            all(finished).len()
        };
        services.service("log").expect("known").pool().drain(link);
        assert_eq!(done(Duration::ZERO), 0, "its only instance is draining");
        services.service("log").expect("known").pool().leave(link, &HashSet::new(), services.now());
        services.refresh_interests();
        assert_eq!(done(Duration::ZERO), 0, "it has no instance");
        assert_eq!(services.counters.get(Count::LifecycleNoInstance), 0);
        assert_eq!(done(LONG), 1);
        assert_eq!(services.counters.get(Count::LifecycleNoInstance), 1);
    }

    #[tokio::test]
    async fn an_instance_without_credit_does_not_delay_the_ends_of_others() {
        let services = services();
        let (link, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (queue, _full) = mpsc::channel(16);
        let interests = Interests::only(LifecycleKind::Disconnected);
        let new_link = NewLink { instance: "i2".into(), credit: 0, interests, queue, replaced: CancellationToken::new() };
        services.service("bot").expect("known").pool().join(new_link, services.now()).expect("room");
        // The connection's id decides which of the two instances gets the event.
        for _ in 0..100 {
            let keys = connections(2);
            let finished = send(&services, &keys, Duration::ZERO);
            services.service("bot").expect("known").pool().credit(link, 9);
            ids(&mut queued);
            if all(finished) == keys[1..] {
                return;
            }
        }
        panic!("no connection was done while an earlier one waited");
    }

    #[tokio::test]
    async fn a_service_that_has_an_end_does_not_get_it_again_while_another_one_is_absent() {
        let services = services();
        let (link, _queued) = join(&services, "log", 9, LifecycleKind::Disconnected);
        services.service("log").expect("known").pool().leave(link, &HashSet::new(), services.now());
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let keys = connections(1);
        for waited in [Duration::ZERO, LONG / 4, LONG / 2] {
            assert!(all(send(&services, &keys, waited)).is_empty());
        }
        let (_, mut returned) = join(&services, "log", 9, LifecycleKind::Disconnected);
        let mut finished = send(&services, &keys, LONG / 2);
        assert_eq!(ids(&mut returned), [id(&keys[0])]);
        assert!(finished.try_recv().is_err(), "the first copy is not written yet");
        assert_eq!(ids(&mut queued), [id(&keys[0])], "once");
        assert_eq!(all(finished), keys);
        assert!(lock(&services.partly_taken).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_an_occupation_stays_registered_until_it_is_sent_or_dropped() {
        let (services, forgotten) = (services(), Arc::new(AtomicU32::new(0)));
        let vacate = |generation| {
            let forgotten = forgotten.clone();
            let receipt = Receipt::new(move || {
                forgotten.fetch_add(1, Relaxed);
            });
            let occupation = Occupation { channel: "c:a".parse().expect("valid"), generation };
            services.send_vacated(Lifecycle::new(Change::Vacated(occupation)).with_receipt(Some(receipt)));
        };
        (0..6).for_each(vacate);
        let counts = || [Count::LifecycleQueueFull, Count::LifecycleNotRequested].map(|count| services.counters.get(count));
        assert_eq!((forgotten.load(Relaxed), counts()), (2, [2, 0]), "four have a place");
        sleep(LONG).await;
        services.send_unrequested();
        assert_eq!((forgotten.load(Relaxed), counts()), (6, [2, 4]));
        (6..8).for_each(vacate);
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Vacated);
        services.send_unrequested();
        assert_eq!(forgotten.load(Relaxed), 6, "nothing is written");
        assert_eq!(ids(&mut queued), ["c:a/6/vacated", "c:a/7/vacated"]);
        assert_eq!((forgotten.load(Relaxed), counts()), (8, [2, 4]));
    }
}
