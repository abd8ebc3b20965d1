//! Works on the queues of services, from the start of the node to its end.

use super::{
    super::{service::Service, services::Services},
    counters::QueueCounters,
    delivery::{deliverer::Deliverer, in_hand::Reporter},
    ownership::Preferences,
    queueing::Queueing,
    service_queue::ServiceQueue,
};
use crate::{
    cluster::Cluster,
    queues::{OwnerConfig, OwnerStats, PartitionHandles, check_partitions, own, unchecked_partitions},
};
use futures_util::future::{join, join_all};
use gateway_core::{
    model::ServiceName,
    queue::{PartitionId, QueueName, owner::OwnerLimits},
};
use std::sync::Arc;
use tokio::{runtime::Handle, sync::watch, task::JoinSet};

impl Services {
    /// Stores the lifecycle events of services with a queue, owns partitions, and delivers what they have. Ends when [`Self::close`] is over and the
    /// partitions are given up; at once if no service has a queue.
    pub async fn serve_queues(self: &Arc<Self>, cluster: &Cluster) {
        let Some(queueing) = &self.queueing else { return };
        let queued: Vec<_> = self.by_name.values().filter(|service| service.queue.is_some()).collect();
        for service in &queued {
            let problem = unchecked_partitions(&QueueName::Service(service.name.clone()), &setting(&service.name));
            queueing.set_problem(&service.name, Some(problem));
            self.open.spawn(Arc::clone(self).store_lifecycle_events(Arc::clone(service)));
        }
        let (mut preferences, mut partitions) = (Preferences::new(), JoinSet::new());
        for (service, number) in self.delivered() {
            let stats = (0..number).map(|partition| {
                let partition = PartitionId { queue: QueueName::Service(service.name.clone()), partition };
                let (preferred, preference) = watch::channel(false);
                let stats = self.own_partition(queueing, service, partition.clone(), preference, &mut partitions);
                preferences.insert(partition, preferred);
                stats
            });
            let stats = stats.flatten().collect();
            if let Some(queue) = &service.queue {
                queue.set_stats(stats);
            }
        }
        let checks = join_all(queued.iter().map(|service| self.check_partitions(queueing, service)));
        let checks = queueing.end_of_ownership.run_until_cancelled(checks);
        let owners = async { while partitions.join_next().await.is_some() {} };
        join(join(self.prefer(queueing, cluster, &preferences), checks), owners).await;
    }

    /// Checks until all partitions above the number of the settings were empty once. Until then the node is not ready.
    async fn check_partitions(&self, queueing: &Queueing, service: &Service) {
        let Some(queue) = &service.queue else { return };
        let (name, report) = (QueueName::Service(service.name.clone()), |problem| queueing.set_problem(&service.name, problem));
        check_partitions(&*queueing.store, &name, &setting(&service.name), queue.config.partitions, report).await;
    }

    fn own_partition(
        self: &Arc<Self>,
        queueing: &Queueing,
        service: &Arc<Service>,
        partition: PartitionId,
        preferred: watch::Receiver<bool>,
        tasks: &mut JoinSet<()>,
    ) -> Option<Arc<OwnerStats>> {
        let config = owner_config(queueing, service.queue.as_ref()?);
        let (handles, owner) = own(Arc::clone(&queueing.store), partition, config, preferred, queueing.end_of_ownership.clone());
        let PartitionHandles { mut deliveries, reports, guard, stats } = handles;
        let reporter = Reporter { reports, guard, stopping: queueing.end_of_deliveries.clone(), runtime: Handle::current() };
        let end = queueing.end_of_deliveries.clone();
        let deliverer = Deliverer { services: Arc::clone(self), service: Arc::clone(service), reporter, in_hand: queueing.in_hand.clone() };
        tasks.spawn(owner);
        tasks.spawn(async move {
            if let Some(queue) = &deliverer.service.queue {
                end.run_until_cancelled(deliverer.run(queue, &mut deliveries)).await;
            }
            deliverer.send_back(&mut deliveries).await;
        });
        Some(stats)
    }

    /// Why this node cannot use the queues of its services as the settings say, each with its cure.
    pub fn queue_problems(&self) -> Vec<String> {
        self.queueing.as_ref().map(Queueing::problems).unwrap_or_default()
    }

    /// The queues whose next dead letter has no place, each with its cure. Until there is one, some keys wait.
    pub fn full_dead_letters(&self) -> Vec<String> {
        let full = |(service, _, stats): (&ServiceName, _, Vec<Arc<OwnerStats>>)| {
            let partition = stats.iter().position(|stats| stats.dead_letters_full())?;
            Some(format!(
                "partition {partition} of the queue of {service} has as many dead letters as queues.max_dead allows, so some keys wait: replay or drop \
                 dead letters"
            ))
        };
        self.queue_counters().filter_map(full).collect()
    }

    /// The counters of each queue, and of the owners of its partitions at this node.
    pub fn queue_counters(&self) -> impl Iterator<Item = (&ServiceName, &QueueCounters, Vec<Arc<OwnerStats>>)> {
        self.by_name.values().filter_map(|service| {
            let queue = service.queue.as_ref()?;
            Some((&service.name, &queue.counters, queue.stats()))
        })
    }
}

/// The setting with the number of partitions of a service.
fn setting(service: &ServiceName) -> String {
    format!("services.{service}.partitions")
}

fn owner_config(queueing: &Queueing, queue: &ServiceQueue) -> OwnerConfig {
    let (limits, config) = (&queueing.limits, &queue.config);
    OwnerConfig {
        node: limits.node.clone(),
        limits: OwnerLimits {
            tries: config.tries,
            retry_min: config.retry_min,
            retry_max: config.retry_max,
            visibility: config.visibility,
            window: limits.window,
            window_bytes: limits.window_bytes,
            blocked_ids: limits.blocked_ids,
            entry_bytes: limits.entry_bytes,
        },
    }
}
