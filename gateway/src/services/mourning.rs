//! Connections that ended with their node, told to the services that ask for it.
//!
//! The cluster finds them, and offers them again until they are done with: so what no instance can take now is told later, perhaps by another node, and perhaps twice.

use super::{
    counters::Count,
    instance::Spend,
    lifecycle::{Lifecycle, LifecycleKind},
    services::{Services, Told},
};
use crate::cluster::{Cluster, DeadNodeConnections};
use gateway_core::model::{ConnectionId, UserId};
use std::time::Duration;

impl Services {
    /// Tells what the cluster finds, and has it keep what it needs for that once a service asks. For good.
    pub async fn mourn(&self, cluster: &Cluster) {
        let mut wanted = self.ends_wanted.subscribe();
        let keep = async {
            if wanted.wait_for(|wanted| *wanted).await.is_ok() {
                cluster.register_connections();
            }
        };
        let tell = async {
            let Some(mut found) = cluster.dead_node_connections() else { return };
            while let Some(bereft) = found.recv().await {
                let done = self.tell_ends(&bereft);
                // Who offered them may have stopped.
                let _ = bereft.done.send(done);
            }
        };
        futures_util::future::join(keep, tell).await;
    }

    /// Those of them that are done with.
    fn tell_ends(&self, bereft: &DeadNodeConnections) -> Vec<ConnectionId> {
        let event = |(connection, user): &(ConnectionId, UserId)| Lifecycle {
            kind: LifecycleKind::Disconnected,
            holder: bereft.holder.as_str().into(),
            user: user.clone(),
            connection: *connection,
            channel: None,
        };
        let done = bereft.connections.iter().filter(|it| self.tell_until(&event(it), bereft.waited));
        done.map(|(connection, _)| *connection).collect()
    }

    /// Tells what comes with many others, as far as that leaves room for calls. Whether it need not come again: every service that asks for it, or did,
    /// was sent it, or it has waited for so long that it is counted and dropped.
    pub fn tell_until(&self, event: &Lifecycle, waited: Duration) -> bool {
        let told = self.tell(event, Spend::Spare);
        self.counters.add_many(Count::LifecycleSent, told.sent);
        let is_over = waited >= self.ends_wait;
        match told {
            Told { sent: 1.., full: 0, away: 0 } => return true,
            _ if !is_over => {}
            Told { sent: 0, full: 0, away: 0 } => self.counters.add(Count::LifecycleUnheard),
            untold => self.drop_untold(untold),
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{
        LinkLimits, ServiceConfig,
        instance::{Joining, LinkId, Queued},
        lifecycle::Interests,
    };
    use gateway_core::model::ConnectionId;
    use shared_proto::link::ToService;
    use tokio::sync::{mpsc, oneshot};
    use tokio_util::sync::CancellationToken;

    const LONG: Duration = Duration::from_secs(60);

    fn services() -> Services {
        let bots = ["bot", "log"].map(|name| (name.parse().expect("valid"), ServiceConfig::default()));
        Services::new(bots, LinkLimits::default()).mourning_for(LONG)
    }

    fn join(services: &Services, name: &str, credit: u32, kind: LifecycleKind) -> (LinkId, mpsc::Receiver<Queued>) {
        let (queue, queued) = mpsc::channel(16);
        let interests = Interests::only(kind);
        let joining = Joining { instance: "i1".into(), credit, interests, queue, replaced: CancellationToken::new() };
        let link = services.service(name).expect("known").pool().join(joining, services.now()).expect("room");
        services.refresh_interests();
        (link, queued)
    }

    fn bereft(waited: Duration, connections: usize) -> DeadNodeConnections {
        let connections = (0..connections).map(|_| (ConnectionId::random(), "alice".parse().expect("valid"))).collect();
        DeadNodeConnections { holder: "n2/gen".into(), connections, waited, done: oneshot::channel().0 }
    }

    fn ids(queued: &mut mpsc::Receiver<Queued>) -> Vec<String> {
        let mut ids = Vec::new();
        while let Ok(Queued::Frame(ToService::Event(event))) = queued.try_recv() {
            assert_eq!((&*event.kind, &*event.user), ("disconnected", "alice"));
            ids.push(event.id.expect("of an end"));
        }
        ids
    }

    #[tokio::test]
    async fn an_end_that_cannot_be_queued_comes_again_with_the_same_id() {
        let services = services();
        let (link, mut queued) = join(&services, "bot", 4, LifecycleKind::Disconnected);
        let dead = bereft(Duration::ZERO, 3);
        let expected: Vec<_> = dead.connections.iter().map(|(id, _)| format!("n2/gen/{id}/disconnected")).collect();
        assert_eq!(services.tell_ends(&dead).len(), 2, "half of the credit is for calls");
        assert_eq!(ids(&mut queued), expected[..2]);
        let rest = DeadNodeConnections { connections: dead.connections[2..].to_vec(), ..bereft(LONG / 2, 0) };
        assert_eq!(services.tell_ends(&rest).len(), 0, "there is no credit");
        services.service("bot").expect("known").pool().credit(link, 5);
        assert_eq!(services.tell_ends(&rest).len(), 1);
        assert_eq!(ids(&mut queued), expected[2..]);
        assert_eq!((services.counters.get(Count::LifecycleSent), services.counters.get(Count::LifecycleDropped)), (3, 0));
    }

    #[tokio::test]
    async fn an_end_waits_for_all_services_that_ask_and_for_one_if_none_does() {
        let services = services();
        assert_eq!(services.tell_ends(&bereft(Duration::ZERO, 1)).len(), 0, "nobody asks");
        let (_, mut deaf) = join(&services, "log", 9, LifecycleKind::Connected);
        assert_eq!(services.tell_ends(&bereft(Duration::ZERO, 1)).len(), 0, "nobody asks for this");
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (_, mut full) = join(&services, "log", 0, LifecycleKind::Disconnected);
        assert_eq!(services.tell_ends(&bereft(Duration::ZERO, 1)).len(), 0, "one has no room");
        assert_eq!((ids(&mut queued).len(), ids(&mut full).len(), ids(&mut deaf).len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn what_nobody_takes_in_its_time_is_dropped_and_counted() {
        let services = services();
        assert_eq!(services.tell_ends(&bereft(LONG, 3)).len(), 3);
        assert_eq!(services.counters.get(Count::LifecycleUnheard), 3);
        let _joined = join(&services, "bot", 0, LifecycleKind::Disconnected);
        assert_eq!(services.tell_ends(&bereft(LONG, 2)).len(), 2);
        assert_eq!((services.counters.get(Count::LifecycleDropped), services.counters.get(Count::LifecycleSent)), (2, 0));
    }

    #[tokio::test]
    async fn ends_are_wanted_from_when_one_asks_for_good() {
        let services = services();
        let mut wanted = services.ends_wanted.subscribe();
        let _joined = join(&services, "log", 1, LifecycleKind::Connected);
        assert!(!*wanted.borrow_and_update());
        let (link, _queued) = join(&services, "bot", 1, LifecycleKind::Disconnected);
        assert!(*wanted.borrow_and_update());
        services.service("bot").expect("known").pool().leave(link, &std::collections::HashSet::new(), services.now());
        services.refresh_interests();
        assert!(services.hears(LifecycleKind::Disconnected) && *wanted.borrow(), "it will be back");
    }

    #[tokio::test]
    async fn an_end_waits_for_a_service_that_has_asked_and_is_away() {
        let services = services();
        let (link, _queued) = join(&services, "log", 9, LifecycleKind::Disconnected);
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        services.service("log").expect("known").pool().drain(link);
        assert!(services.tell_ends(&bereft(Duration::ZERO, 1)).is_empty(), "it is about to leave");
        services.service("log").expect("known").pool().leave(link, &std::collections::HashSet::new(), services.now());
        services.refresh_interests();
        assert!(services.tell_ends(&bereft(Duration::ZERO, 1)).is_empty(), "it is away");
        assert_eq!(services.counters.get(Count::LifecycleAway), 0);
        assert_eq!(services.tell_ends(&bereft(LONG, 1)).len(), 1);
        assert_eq!((ids(&mut queued).len(), services.counters.get(Count::LifecycleAway)), (3, 1));
    }

    #[tokio::test]
    async fn what_one_instance_has_no_room_for_holds_up_nobody_elses() {
        let services = services();
        let (link, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (queue, _full) = mpsc::channel(16);
        let interests = Interests::only(LifecycleKind::Disconnected);
        let joining = Joining { instance: "i2".into(), credit: 0, interests, queue, replaced: CancellationToken::new() };
        services.service("bot").expect("known").pool().join(joining, services.now()).expect("room");
        let mut sent = 0;
        // Which of the two gets one goes by its connection.
        for _ in 0..100 {
            let dead = bereft(Duration::ZERO, 2);
            let done = services.tell_ends(&dead);
            sent += done.len();
            if done == [dead.connections[1].0] {
                return;
            }
            services.service("bot").expect("known").pool().credit(link, 9);
            ids(&mut queued);
        }
        panic!("the second was never told where the first had to wait: {sent} were");
    }

    #[tokio::test]
    async fn what_happens_while_the_only_instance_is_away_is_counted() {
        let services = services();
        let event = |kind| Lifecycle {
            kind,
            holder: "n1".into(),
            user: "alice".parse().expect("valid"),
            connection: ConnectionId::random(),
            channel: None,
        };
        services.lifecycle(&event(LifecycleKind::Connected));
        assert_eq!(services.counters.get(Count::LifecycleAway), 0, "nobody has asked");
        let (link, _queued) = join(&services, "bot", 9, LifecycleKind::Connected);
        services.service("bot").expect("known").pool().leave(link, &std::collections::HashSet::new(), services.now());
        services.refresh_interests();
        services.lifecycle(&event(LifecycleKind::Connected));
        assert_eq!(services.counters.get(Count::LifecycleAway), 1);
    }
}
