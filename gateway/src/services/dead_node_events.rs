//! Sends `disconnected` events to services for connections that ended with their node.
//!
//! The cluster hands over a connection repeatedly until its event is sent or dropped. So an event that no instance accepts now is sent later, perhaps
//! by another node, and perhaps twice.

use super::{
    counters::Count,
    instances::instance::CreditUse,
    lifecycle::event::{Change, End, Lifecycle, Origin},
    services::Services,
};
use crate::cluster::{Cluster, DeadNodeConnections};
use gateway_core::model::{ConnectionId, UserId};
use std::time::Duration;

impl Services {
    /// Sends the events that wait over links, and the event for each connection that the cluster hands over. Makes the cluster register connections
    /// as soon as a service requests such events. Never returns.
    pub async fn send_events(&self, cluster: &Cluster) {
        let mut wanted = self.disconnects_wanted.subscribe();
        let register = async {
            if wanted.wait_for(|wanted| *wanted).await.is_ok() {
                cluster.register_connections();
            }
        };
        let send = async {
            let Some(mut found) = cluster.dead_node_connections() else { return };
            while let Some(ended_with_node) = found.recv().await {
                let done = self.send_disconnects(&ended_with_node);
                // The cluster may have stopped waiting.
                let _ = ended_with_node.done.send(done);
            }
        };
        futures_util::future::join3(register, send, self.send_waiting_events()).await;
    }

    /// Sends the events. Returns the connections that need no further attempt.
    fn send_disconnects(&self, ended_with_node: &DeadNodeConnections) -> Vec<ConnectionId> {
        let event = |(connection, user): &(ConnectionId, UserId)| {
            let origin = Origin { holder: ended_with_node.holder.as_str().into(), connection: *connection, user: user.clone() };
            Lifecycle::new(Change::Disconnected(origin, End::with_node()))
        };
        let done = ended_with_node.connections.iter().filter(|it| self.send_until_expired(&event(it), ended_with_node.waited));
        done.map(|(connection, _)| *connection).collect()
    }

    /// Sends one of many events, if enough credit remains for calls. Returns whether the event is done: either every interested service has it, or
    /// `waited` reached the limit and the event was dropped and counted.
    pub fn send_until_expired(&self, event: &Lifecycle, waited: Duration) -> bool {
        let counts = self.offer(event, CreditUse::AboveReserve);
        let is_over = waited >= self.event_ttl;
        match (counts.accepted(), counts.refused()) {
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
        LinkLimits, ServiceConfig,
        instances::instance::{LinkId, NewLink, Outgoing},
        lifecycle::kinds::{Interests, LifecycleKind},
    };
    use gateway_core::model::ConnectionId;
    use tokio::sync::{mpsc, oneshot};
    use tokio_util::sync::CancellationToken;

    const LONG: Duration = Duration::from_secs(60);

    fn services() -> Services {
        let bots = ["bot", "log"].map(|name| (name.parse().expect("valid"), ServiceConfig::default()));
        Services::new(bots, LinkLimits::default()).with_event_ttl(LONG)
    }

    fn join(services: &Services, name: &str, credit: u32, kind: LifecycleKind) -> (LinkId, mpsc::Receiver<Outgoing>) {
        let (queue, queued) = mpsc::channel(16);
        let interests = Interests::only(kind);
        let new_link = NewLink { instance: "i1".into(), credit, interests, queue, replaced: CancellationToken::new() };
        let link = services.service(name).expect("known").pool().join(new_link, services.now()).expect("room");
        services.refresh_interests();
        (link, queued)
    }

    fn ended_with_node(waited: Duration, connections: usize) -> DeadNodeConnections {
        let connections = (0..connections).map(|_| (ConnectionId::random(), "alice".parse().expect("valid"))).collect();
        DeadNodeConnections { holder: "n2/gen".into(), connections, waited, done: oneshot::channel().0 }
    }

    fn ids(queued: &mut mpsc::Receiver<Outgoing>) -> Vec<String> {
        let mut ids = Vec::new();
        while let Ok(Outgoing::Lifecycle(event)) = queued.try_recv() {
            assert_eq!(event.kind(), LifecycleKind::Disconnected);
            ids.push(event.id());
        }
        ids
    }

    // NL-7.4
    #[tokio::test]
    async fn a_disconnect_without_credit_is_sent_later_with_the_same_id() {
        let services = services();
        let (link, mut queued) = join(&services, "bot", 4, LifecycleKind::Disconnected);
        let dead = ended_with_node(Duration::ZERO, 3);
        let expected: Vec<_> = dead.connections.iter().map(|(id, _)| format!("n2/gen/{id}/disconnected")).collect();
        assert_eq!(services.send_disconnects(&dead).len(), 2, "half of the credit is left for calls");
        assert_eq!(ids(&mut queued), expected[..2]);
        let rest = DeadNodeConnections { connections: dead.connections[2..].to_vec(), ..ended_with_node(LONG / 2, 0) };
        assert_eq!(services.send_disconnects(&rest).len(), 0, "there is no credit");
        services.service("bot").expect("known").pool().credit(link, 5);
        assert_eq!(services.send_disconnects(&rest).len(), 1);
        assert_eq!(ids(&mut queued), expected[2..]);
        assert_eq!((services.counters.get(Count::LifecycleSent), services.counters.get(Count::LifecycleNoCredit)), (3, 0));
    }

    #[tokio::test]
    async fn a_disconnect_waits_until_every_interested_service_has_it() {
        let services = services();
        assert_eq!(services.send_disconnects(&ended_with_node(Duration::ZERO, 1)).len(), 0, "no service wants them");
        let (_, mut uninterested) = join(&services, "log", 9, LifecycleKind::Connected);
        assert_eq!(services.send_disconnects(&ended_with_node(Duration::ZERO, 1)).len(), 0, "no service wants disconnects");
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (_, mut full) = join(&services, "log", 0, LifecycleKind::Disconnected);
        assert_eq!(services.send_disconnects(&ended_with_node(Duration::ZERO, 1)).len(), 0, "one has no credit");
        assert_eq!((ids(&mut queued).len(), ids(&mut full).len(), ids(&mut uninterested).len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn a_disconnect_that_waited_too_long_is_dropped_and_counted() {
        let services = services();
        assert_eq!(services.send_disconnects(&ended_with_node(LONG, 3)).len(), 3);
        assert_eq!(services.counters.get(Count::LifecycleNotRequested), 3);
        let _joined = join(&services, "bot", 0, LifecycleKind::Disconnected);
        assert_eq!(services.send_disconnects(&ended_with_node(LONG, 2)).len(), 2);
        assert_eq!((services.counters.get(Count::LifecycleNoCredit), services.counters.get(Count::LifecycleSent)), (2, 0));
    }

    #[tokio::test]
    async fn disconnects_stay_wanted_after_the_first_request() {
        let services = services();
        let mut wanted = services.disconnects_wanted.subscribe();
        let _joined = join(&services, "log", 1, LifecycleKind::Connected);
        assert!(!*wanted.borrow_and_update());
        let (link, _queued) = join(&services, "bot", 1, LifecycleKind::Disconnected);
        assert!(*wanted.borrow_and_update());
        services.service("bot").expect("known").pool().leave(link, &std::collections::HashSet::new(), services.now());
        services.refresh_interests();
        assert!(services.wants(LifecycleKind::Disconnected) && *wanted.borrow(), "the instance will return");
    }

    #[tokio::test]
    async fn a_disconnect_waits_for_an_interested_service_without_instance() {
        let services = services();
        let (link, _queued) = join(&services, "log", 9, LifecycleKind::Disconnected);
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        services.service("log").expect("known").pool().drain(link);
        assert!(services.send_disconnects(&ended_with_node(Duration::ZERO, 1)).is_empty(), "its only instance is draining");
        services.service("log").expect("known").pool().leave(link, &std::collections::HashSet::new(), services.now());
        services.refresh_interests();
        assert!(services.send_disconnects(&ended_with_node(Duration::ZERO, 1)).is_empty(), "it has no instance");
        assert_eq!(services.counters.get(Count::LifecycleNoInstance), 0);
        assert_eq!(services.send_disconnects(&ended_with_node(LONG, 1)).len(), 1);
        assert_eq!((ids(&mut queued).len(), services.counters.get(Count::LifecycleNoInstance)), (3, 1));
    }

    #[tokio::test]
    async fn an_instance_without_credit_does_not_delay_the_disconnects_of_others() {
        let services = services();
        let (link, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (queue, _full) = mpsc::channel(16);
        let interests = Interests::only(LifecycleKind::Disconnected);
        let new_link = NewLink { instance: "i2".into(), credit: 0, interests, queue, replaced: CancellationToken::new() };
        services.service("bot").expect("known").pool().join(new_link, services.now()).expect("room");
        let mut sent = 0;
        // The connection's id decides which of the two instances gets the event.
        for _ in 0..100 {
            let dead = ended_with_node(Duration::ZERO, 2);
            let done = services.send_disconnects(&dead);
            sent += done.len();
            if done == [dead.connections[1].0] {
                return;
            }
            services.service("bot").expect("known").pool().credit(link, 9);
            ids(&mut queued);
        }
        panic!("no connection was done while an earlier one waited: {sent} were sent");
    }
}
