//! Registers this node, renews its lease (with the state table of the lease), and finds dead nodes.

use super::{member::Member, shared_cluster::SharedCluster, types::NodeServices};
use crate::{
    broker::{BrokerError, Lease, NodeRecord, Nodes},
    telemetry::FailureLog,
};
use gateway_core::model::{Transition, Transitions, lock};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// Time for Redis to remove this node when it shuts down.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest pause after a heartbeat that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The state of this node's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeaseState {
    /// The node has not registered yet.
    Unregistered,
    /// The node is registered, and renews its lease.
    Held,
    /// The lease expired. The node has a new generation, and has not registered it yet.
    Expired,
}

/// The result of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeaseEvent {
    /// The node is registered now.
    Registered,
    /// The lease was renewed.
    Renewed,
    /// The lease had expired before the heartbeat.
    Expired,
    /// Redis did not answer, or refused the command. The node tries again.
    HeartbeatFailed,
}

const LEASE: Transitions<LeaseState, LeaseEvent> = {
    use LeaseEvent as Event;
    use LeaseState::{Expired, Held, Unregistered};
    Transitions(&[
        Transition { event: Event::Registered, from: &[Unregistered, Expired], to: Held },
        Transition { event: Event::Renewed, from: &[Held], to: Held },
        Transition { event: Event::Expired, from: &[Held], to: Expired },
        Transition { event: Event::HeartbeatFailed, from: &[Unregistered], to: Unregistered },
        Transition { event: Event::HeartbeatFailed, from: &[Held], to: Held },
        Transition { event: Event::HeartbeatFailed, from: &[Expired], to: Expired },
    ])
};

/// The lease of this node.
struct OwnLease {
    state: LeaseState,
    /// When the node registered, or when its last heartbeat failed.
    unbroken_since: Instant,
}

impl OwnLease {
    fn new() -> Self {
        Self { state: LeaseState::Unregistered, unbroken_since: Instant::now() }
    }

    fn apply(&mut self, event: LeaseEvent) {
        self.state = LEASE.follow(self.state, event);
        if event != LeaseEvent::Renewed {
            self.unbroken_since = Instant::now();
        }
    }
}

impl SharedCluster {
    /// All nodes that are registered and alive now.
    pub(super) async fn members(&self) -> Result<Vec<Member>, BrokerError> {
        let Some(nodes) = self.broker.nodes() else { return Ok(vec![self.this_node.clone()]) };
        Ok(alive(&nodes.list().await?))
    }

    /// Registers this node, renews its lease, and publishes which nodes are dead. Never returns.
    pub(super) async fn keep_registered(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        let (mut lease, mut failures) = (OwnLease::new(), FailureLog::default());
        loop {
            match self.heartbeat(nodes, &lease).await {
                Ok(event) => {
                    failures.succeeded();
                    lease.apply(event);
                    if event != LeaseEvent::Renewed {
                        continue;
                    }
                }
                Err(error) => {
                    failures.failed(|| tracing::warn!(%error, "the heartbeat of this node failed; it tries again until it succeeds"));
                    lease.apply(LeaseEvent::HeartbeatFailed);
                    nodes.set_may_declare_dead(false);
                    // Until it is registered again, revocations reach it only by a look-up, which the registration causes.
                    sleep(RETRY_PAUSE.min(self.timings.lease / 3)).await;
                    continue;
                }
            }
            sleep(self.timings.lease / 3).await;
        }
    }

    // NL-7.1, NL-7.2
    async fn heartbeat(&self, nodes: &Nodes, lease: &OwnLease) -> Result<LeaseEvent, BrokerError> {
        let record = Member { delivers: lock(&self.delivers).clone(), ..self.this_node.clone() }.record();
        match lease.state {
            LeaseState::Unregistered | LeaseState::Expired => {
                nodes.register(&record, self.timings.lease).await?;
                if lease.state == LeaseState::Expired {
                    self.registered_again.notify_one();
                    self.holds.hold_again();
                }
                self.messages_missed.notify_one();
                return Ok(LeaseEvent::Registered);
            }
            LeaseState::Held if nodes.renew(&record, self.timings.lease).await? == Lease::Lost => {
                tracing::warn!("the lease of this node expired: it registers again, with a new generation");
                nodes.set_may_declare_dead(false);
                let past = nodes.begin_generation(&record).await?;
                lock(&self.past_generations).push(past);
                return Ok(LeaseEvent::Expired);
            }
            LeaseState::Held => {}
        }
        self.delete_past_registries(nodes).await;
        let all = nodes.list().await?;
        self.update_members(&all);
        // During an outage every lease expires. Live nodes get a whole lease to register again.
        let may_judge = lease.unbroken_since.elapsed() > self.timings.lease;
        nodes.set_may_declare_dead(may_judge);
        let dead = all.into_iter().filter(|node| may_judge && !node.is_alive).map(|node| node.id);
        self.dead.send_replace(dead.collect());
        Ok(LeaseEvent::Renewed)
    }

    /// Deletes the registries of earlier generations of this node: their connections are alive, so no other node may report their ends. After
    /// an outage every node does this before any node judges another dead.
    async fn delete_past_registries(&self, nodes: &Nodes) {
        let past = lock(&self.past_generations).clone();
        for generation in &past {
            match timeout(self.timings.lease / 3, nodes.delete_registry_of(generation)).await {
                Ok(Ok(())) => lock(&self.past_generations).retain(|it| it != generation),
                Ok(Err(error)) => {
                    return tracing::warn!(%error, "the registry of this node's last generation was not deleted; the next heartbeat tries again");
                }
                Err(_) => {
                    return tracing::warn!(
                        "Redis did not delete the registry of this node's last generation in time; the next heartbeat tries again"
                    );
                }
            }
        }
    }

    /// Publishes the list of live nodes, and compares their settings with those of this node.
    fn update_members(&self, all: &[NodeRecord]) {
        let alive = alive(all);
        let problem = self.same_name(all).or_else(|| alive.iter().find_map(|other| self.this_node.difference(other)));
        let before = std::mem::replace(&mut *lock(&self.problem), problem.clone().map(Into::into));
        if let Some(problem) = problem.filter(|problem| before.as_deref() != Some(problem)) {
            tracing::warn!("{problem}");
        }
        self.worker_threads.store(worker_threads(&self.this_node, &alive), Relaxed);
        self.delivering.send_if_modified(|delivering| {
            let now: Arc<[NodeServices]> = alive.iter().map(Member::services).collect();
            let changed = *delivering != now;
            *delivering = now;
            changed
        });
        self.links.send_if_modified(|links| {
            let now: Arc<[String]> = alive.iter().map(|node| node.link.to_string()).collect();
            let changed = *links != now;
            *links = now;
            changed
        });
    }

    /// Whether another live process has the name of this node.
    fn same_name(&self, all: &[NodeRecord]) -> Option<String> {
        let (name, address) = (&self.this_node.name, self.broker.nodes()?.address());
        all.iter().any(|node| node.is_alive && node.id.name == *name && node.id.address() != address).then(|| {
            let lease = self.timings.lease;
            format!(
                "another gateway process has the node.name {name}, too: give each a name of its own. After a crash this takes one cluster.lease \
                 ({lease:?}) at most"
            )
        })
    }

    /// Removes this node from the list.
    pub(super) async fn leave(&self) {
        let Some(nodes) = self.broker.nodes() else { return };
        match timeout(LEAVE_TIMEOUT, nodes.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "this node could not leave the cluster; its lease will expire"),
            Err(_) => tracing::warn!("this node could not leave the cluster in time; its lease will expire"),
        }
    }
}

/// The live nodes among them, in the order of their names.
fn alive(all: &[NodeRecord]) -> Vec<Member> {
    let mut alive: Vec<_> = all.iter().filter(|node| node.is_alive).filter_map(Member::parse).collect();
    // A node that restarted before its old lease expired is listed twice.
    alive.sort_by(|a, b| (&a.name, &a.link).cmp(&(&b.name, &b.link)).then(b.since_ms.cmp(&a.since_ms)));
    alive.dedup_by(|a, b| a.name == b.name && a.link == b.link);
    alive
}

/// See [`Cluster::worker_threads`](super::Cluster::worker_threads). This node counts even while it is not in the list.
fn worker_threads(this_node: &Member, alive: &[Member]) -> usize {
    let most = alive.iter().map(|node| node.workers).max().unwrap_or_default();
    (alive.len() * most).max(this_node.workers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn each_node_counts_as_the_one_with_the_most_workers() {
        let node = |name: &str, workers| {
            let (name, link, public) = (name.into(), "ws://h:1".into(), "".into());
            Member { name, since_ms: 1, workers, link, public, shared: BTreeMap::new(), delivers: BTreeSet::new() }
        };
        let all = [node("a", 1), node("b", 4), node("c", 2)];
        assert_eq!(worker_threads(&all[0], &all), 12);
        assert_eq!(worker_threads(&all[2], &all[2..]), 2);
        assert_eq!(worker_threads(&all[1], &[]), 4);
    }

    #[test]
    fn the_page_shows_the_states_of_a_lease() {
        let (page, expected) = (include_str!("../../../docs/state-machines.md"), LEASE.markdown());
        assert!(page.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
    }
}
