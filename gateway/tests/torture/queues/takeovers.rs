//! Counts how often partitions get another owner. It shows whether the faults had an effect.

use super::{
    plan::{Delivery, INGEST_PARTITIONS, SERVICES, Service, ingest_key, ingest_tag, queue_key},
    redis_client::RedisClient,
};
use crate::world::World;
use redis::cmd;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::sleep;

/// Pause between two looks. It is shorter than the lease of an owner.
const PAUSE: Duration = Duration::from_millis(300);

/// Looks at the epochs of all partitions, which grow with each owner, until the future is dropped.
pub(crate) async fn watch_epochs(world: Arc<World>) {
    let mut client = RedisClient::new(world.clone());
    let delivered = SERVICES.into_iter().filter(|service| service.delivery != Delivery::Streams);
    let of_services = delivered.flat_map(Service::tags).map(|tag| (queue_key(&tag, "epoch"), tag));
    let of_ingest = (0..INGEST_PARTITIONS).map(|partition| (ingest_key(partition, "epoch"), ingest_tag(partition)));
    let partitions: Vec<_> = of_services.chain(of_ingest).collect();
    let mut known: HashMap<&str, u64> = HashMap::new();
    loop {
        for (key, tag) in &partitions {
            let Ok(Some(epoch)) = client.run::<Option<u64>>(tag, cmd("GET").arg(key)).await else { continue };
            let before = known.insert(key, epoch);
            if before.is_some_and(|before| before != epoch) {
                world.queues().counts.takeovers.fetch_add(1, Relaxed);
            }
        }
        sleep(PAUSE).await;
    }
}
