//! Which partitions this node wants to own.

use super::{
    super::{carrier::Carrier, service::Service, services::Services},
    config::Deliver,
    queueing::Queueing,
};
use crate::{
    cluster::{Cluster, NodeServices},
    queues::QueueStore as _,
};
use gateway_core::{
    model::{ServiceName, rendezvous_score},
    queue::PartitionId,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Longest time until other nodes learn that this one can deliver to a service, besides that of a heartbeat.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The partitions whose owner this node may become, and whether it is preferred.
pub(super) type Preferences = BTreeMap<PartitionId, watch::Sender<bool>>;

impl Services {
    /// The services whose queues this node delivers.
    pub(super) fn delivered(&self) -> impl Iterator<Item = (&Arc<Service>, u16)> {
        self.by_name.values().filter_map(|service| {
            let config = &service.queue.as_ref()?.config;
            (config.deliver == Deliver::ByReach).then_some((service, config.partitions))
        })
    }

    /// Tells other nodes to which services this node can deliver, and prefers this node where it has the highest score of all nodes that can. If
    /// none can, of all nodes. Ends with the work on deliveries.
    pub(super) async fn prefer(&self, queueing: &Queueing, cluster: &Cluster, preferences: &Preferences) {
        let mut nodes = cluster.delivering_nodes();
        let mut seen = BTreeMap::new();
        loop {
            if queueing.leaving.is_cancelled() {
                seen.clear();
            } else {
                self.look_for_instances(&mut seen);
            }
            cluster.set_delivers(able(&seen, queueing.store.lease()));
            let listed = nodes.borrow_and_update().clone();
            for (partition, preferred) in preferences {
                let now = is_preferred(&queueing.limits.node, partition, &listed);
                preferred.send_if_modified(|preferred| std::mem::replace(preferred, now) != now);
            }
            tokio::select! {
                // The list of a node that is alone never changes.
                Ok(()) = nodes.changed() => {}
                () = sleep(LOOK_AGAIN) => {}
                () = queueing.end_of_deliveries.cancelled() => return,
            }
        }
    }

    /// Notes when each service was seen that can be reached from here.
    fn look_for_instances(&self, seen: &mut BTreeMap<ServiceName, Instant>) {
        for (service, _) in self.delivered() {
            let is_there = match &service.carrier {
                Carrier::Links(links) => links.lock().is_present(),
                Carrier::Webhook(_) => true,
                Carrier::Queue(_) => false,
            };
            if is_there {
                seen.insert(service.name.clone(), Instant::now());
            }
        }
    }
}

/// The services that were seen within a lease: an instance that restarts moves no partitions.
fn able(seen: &BTreeMap<ServiceName, Instant>, lease: Duration) -> BTreeSet<Box<str>> {
    seen.iter().filter(|(_, at)| at.elapsed() <= lease).map(|(service, _)| service.as_str().into()).collect()
}

fn is_preferred(node: &str, partition: &PartitionId, nodes: &[NodeServices]) -> bool {
    let service = match &partition.queue {
        gateway_core::queue::QueueName::Service(service) => service.as_str(),
        gateway_core::queue::QueueName::Ingest => return false,
    };
    let subject = partition.to_string();
    let best = |nodes: &mut dyn Iterator<Item = &NodeServices>| {
        nodes.max_by_key(|it| rendezvous_score(&it.node, &subject)).map(|it| it.node.clone())
    };
    let able = best(&mut nodes.iter().filter(|it| it.services.contains(service)));
    able.or_else(|| best(&mut nodes.iter())).is_some_and(|best| *best == *node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::queue::QueueName;

    fn node(name: &str, services: &[&str]) -> NodeServices {
        NodeServices { node: name.into(), services: services.iter().map(|service| (*service).into()).collect() }
    }

    fn preferred(nodes: &[NodeServices]) -> Vec<Box<str>> {
        let of = |partition| {
            let id = PartitionId { queue: QueueName::Service("shop".parse().expect("valid")), partition };
            let mut found: Vec<_> = nodes.iter().filter(|it| is_preferred(&it.node, &id, nodes)).map(|it| it.node.clone()).collect();
            assert_eq!(found.len(), 1, "each partition has one preferred node");
            found.remove(0)
        };
        (0..64).map(of).collect()
    }

    #[test]
    fn one_node_is_preferred_for_each_partition_and_one_that_can_deliver() {
        let all = [node("a", &["shop"]), node("b", &["shop", "bot"]), node("c", &["bot"])];
        let named =
            |nodes: &[NodeServices]| preferred(nodes).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(named(&all), "a b");
        assert_eq!(named(&[node("a", &["shop"]), node("c", &[])]), "a");
        assert_eq!(named(&[node("a", &[]), node("c", &[])]), "a c", "without any, all share them");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_away_for_a_lease_is_not_delivered_from_here() {
        let seen = [("shop".parse().expect("valid"), Instant::now())].into();
        let lease = Duration::from_secs(10);
        sleep(lease).await;
        assert_eq!(able(&seen, lease).len(), 1);
        sleep(Duration::from_millis(1)).await;
        assert!(able(&seen, lease).is_empty());
    }
}
