//! Connections that ended with their node, told to the services that ask for it.
//!
//! The cluster finds them, and offers them again until they are done with: so what no instance can take now is told later, perhaps by another node, and perhaps twice.

use super::{Count, Lifecycle, LifecycleKind, Services, Told};
use crate::cluster::{Bereft, Cluster};
use std::time::Duration;

impl Services {
    /// Tells what the cluster finds, and has it keep what it needs for that once a service asks. For good.
    pub async fn mourn(&self, cluster: &Cluster) {
        let mut wanted = self.ends_wanted.subscribe();
        let keep = async {
            if wanted.wait_for(|wanted| *wanted).await.is_ok() {
                cluster.enroll();
            }
        };
        let tell = async {
            let Some(mut found) = cluster.bereft() else { return };
            while let Some(bereft) = found.recv().await {
                let done = self.tell_ends(&bereft);
                // Who offered them may have stopped.
                let _ = bereft.done.send(done);
            }
        };
        futures_util::future::join(keep, tell).await;
    }

    /// How many of them are done with: those before the first that has to come again.
    fn tell_ends(&self, bereft: &Bereft) -> usize {
        let event = |(connection, user): &(_, crate::model::UserId)| Lifecycle {
            kind: LifecycleKind::Disconnected,
            holder: bereft.holder.as_str().into(),
            user: user.clone(),
            connection: *connection,
            channel: None,
        };
        let is_done = |event: &Lifecycle| self.tell_end(event, bereft.waited);
        bereft.connections.iter().map(event).take_while(is_done).count()
    }

    /// Whether it need not come again.
    fn tell_end(&self, event: &Lifecycle, waited: Duration) -> bool {
        let told = self.tell(event);
        self.counters.add_many(Count::LifecycleSent, told.sent);
        let lost = match told {
            Told { full: 0, sent: 1.. } => return true,
            Told { full: 0, sent: 0 } => Count::LifecycleUnheard,
            Told { .. } => Count::LifecycleDropped,
        };
        let is_over = waited >= self.ends_wait;
        if is_over {
            self.counters.add(lost);
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::ConnectionId,
        services::{
            ServiceConfig,
            lifecycle::Interests,
            link::LinkLimits,
            pool::{Joining, LinkId, Queued},
        },
    };
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

    fn bereft(waited: Duration, connections: usize) -> Bereft {
        let connections = (0..connections).map(|_| (ConnectionId::random(), "alice".parse().expect("valid"))).collect();
        Bereft { holder: "n2/gen".into(), connections, waited, done: oneshot::channel().0 }
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
        let (link, mut queued) = join(&services, "bot", 2, LifecycleKind::Disconnected);
        let dead = bereft(Duration::ZERO, 3);
        let expected: Vec<_> = dead.connections.iter().map(|(id, _)| format!("n2/gen/{id}/disconnected")).collect();
        assert_eq!(services.tell_ends(&dead), 2);
        assert_eq!(ids(&mut queued), expected[..2]);
        let rest = Bereft { connections: dead.connections[2..].to_vec(), ..bereft(LONG / 2, 0) };
        assert_eq!(services.tell_ends(&rest), 0, "there is no credit");
        services.service("bot").expect("known").pool().credit(link, 5);
        assert_eq!(services.tell_ends(&rest), 1);
        assert_eq!(ids(&mut queued), expected[2..]);
        assert_eq!((services.counters.get(Count::LifecycleSent), services.counters.get(Count::LifecycleDropped)), (3, 0));
    }

    #[tokio::test]
    async fn an_end_waits_for_all_services_that_ask_and_for_one_if_none_does() {
        let services = services();
        assert_eq!(services.tell_ends(&bereft(Duration::ZERO, 1)), 0, "nobody asks");
        let (_, mut deaf) = join(&services, "log", 9, LifecycleKind::Connected);
        assert_eq!(services.tell_ends(&bereft(Duration::ZERO, 1)), 0, "nobody asks for this");
        let (_, mut queued) = join(&services, "bot", 9, LifecycleKind::Disconnected);
        let (_, mut full) = join(&services, "log", 0, LifecycleKind::Disconnected);
        assert_eq!(services.tell_ends(&bereft(Duration::ZERO, 1)), 0, "one has no room");
        assert_eq!((ids(&mut queued).len(), ids(&mut full).len(), ids(&mut deaf).len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn what_nobody_takes_in_its_time_is_dropped_and_counted() {
        let services = services();
        assert_eq!(services.tell_ends(&bereft(LONG, 3)), 3);
        assert_eq!(services.counters.get(Count::LifecycleUnheard), 3);
        let _joined = join(&services, "bot", 0, LifecycleKind::Disconnected);
        assert_eq!(services.tell_ends(&bereft(LONG, 2)), 2);
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
        assert!(!services.hears(LifecycleKind::Disconnected) && *wanted.borrow(), "it will be back");
    }
}
