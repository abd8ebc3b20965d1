//! Ingest, from the start of the node to its end.

use super::{config::IngestConfig, run::run, stats::IngestStats};
use crate::{
    cluster::{Cluster, NodeServices},
    publish::Publisher,
    queues::{Queues, check_partitions, unchecked_partitions},
};
use gateway_core::{
    model::{lock, rendezvous_score},
    queue::{PartitionId, QueueName},
};
use std::sync::{Arc, Mutex};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// The setting with the number of partitions.
const PARTITIONS: &str = "ingest.partitions";

/// Publishes what services put into streams.
pub struct Ingest {
    store: Arc<Queues>,
    publisher: Arc<Publisher>,
    config: IngestConfig,
    stats: Arc<IngestStats>,
    /// Why the number of partitions cannot be used.
    problem: Mutex<Option<String>>,
}

impl Ingest {
    /// Ingest of a node.
    pub fn new(store: Arc<Queues>, publisher: Arc<Publisher>, config: IngestConfig) -> Self {
        let problem = Mutex::new(Some(unchecked_partitions(&QueueName::Ingest, PARTITIONS)));
        Self { store, publisher, config, stats: Arc::default(), problem }
    }

    /// Owns partitions and publishes their entries. Ends after `stop`, when the partitions are given up.
    pub async fn serve(&self, cluster: &Cluster, stop: CancellationToken) {
        let (mut tasks, mut preferences) = (JoinSet::new(), Vec::new());
        for partition in 0..self.config.partitions {
            let (preferred, preference) = watch::channel(false);
            preferences.push((partition, preferred));
            let (store, publisher, stats) = (self.store.clone(), self.publisher.clone(), self.stats.clone());
            tasks.spawn(run(store, publisher, self.config.clone(), partition, stats, preference, stop.clone()));
        }
        let report = |problem| *lock(&self.problem) = problem;
        let check = check_partitions(&*self.store, &QueueName::Ingest, PARTITIONS, self.config.partitions, report);
        let background = async { tokio::join!(self.prefer(cluster, &preferences), check) };
        let owners = async { while tasks.join_next().await.is_some() {} };
        tokio::join!(stop.run_until_cancelled(background), owners);
    }

    /// Prefers this node for the partitions for which it has the highest score of all nodes. Never returns.
    async fn prefer(&self, cluster: &Cluster, preferences: &[(u16, watch::Sender<bool>)]) {
        let mut nodes = cluster.delivering_nodes();
        loop {
            let listed = nodes.borrow_and_update().clone();
            for (partition, preferred) in preferences {
                let now = is_preferred(&self.config.node, *partition, &listed);
                preferred.send_if_modified(|preferred| std::mem::replace(preferred, now) != now);
            }
            if nodes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What ingest has counted at this node.
    pub fn stats(&self) -> &IngestStats {
        &self.stats
    }

    /// Why this node cannot use ingest as the settings say, with the cure.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Whether the next dead letter has no place, with the cure. Until it has one, its channel waits.
    pub fn full_dead_letters(&self) -> Option<String> {
        let is_full = self.stats.dead_letters_full();
        is_full.then(|| {
            "ingest has as many dead letters as ingest.max_dead allows, so some channels wait: replay or drop dead letters".to_owned()
        })
    }
}

fn is_preferred(node: &str, partition: u16, nodes: &[NodeServices]) -> bool {
    let subject = PartitionId { queue: QueueName::Ingest, partition }.to_string();
    nodes.iter().max_by_key(|it| rendezvous_score(&it.node, &subject)).is_some_and(|best| *best.node == *node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_is_preferred_for_each_partition() {
        let nodes: Vec<_> = ["a", "b", "c"].map(|name| NodeServices { node: name.into(), services: [].into() }).into();
        let mut partitions = [0; 3];
        for partition in 0..100 {
            let preferred: Vec<_> = (0..3).filter(|&index| is_preferred(&nodes[index].node, partition, &nodes)).collect();
            assert_eq!(preferred.len(), 1, "{partition}");
            partitions[preferred[0]] += 1;
        }
        assert!(partitions.iter().all(|number| *number > 15), "{partitions:?}");
        assert!(!is_preferred("a", 0, &[]));
    }
}
