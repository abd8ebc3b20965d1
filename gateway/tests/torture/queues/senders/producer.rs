//! Services that publish by ingest: they append to its streams in Redis.

use crate::{
    content,
    ledger::Channel,
    queues::{
        plan::{ingest_key, ingest_tag},
        redis_client::{Failure, RedisClient},
    },
    world::World,
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::sleep;

/// Pause between two attempts.
const RETRY: Duration = Duration::from_millis(200);
/// One entry in this number is malformed.
const MALFORMED: u32 = 200;

/// Publishes into a channel by this partition of ingest until the run stops, with a pause of about `pause` after each.
pub(crate) async fn produce(world: Arc<World>, channel: Arc<Channel>, partition: u16, pause: Duration) {
    let mut client = RedisClient::new(world.clone());
    while !world.stop.is_cancelled() {
        sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
        if *world.publishers_paused.borrow() {
            continue;
        }
        if rand::random_ratio(1, MALFORMED) {
            add_malformed(&world, &mut client, &channel, partition).await;
        } else {
            publish(&world, &mut client, &channel, partition).await;
        }
    }
}

/// Publishes once. With an idempotency key it is repeated until the entry is acknowledged.
async fn publish(world: &World, client: &mut RedisClient, channel: &Channel, partition: u16) {
    let number = channel.next_of(partition);
    let data = content::document(number);
    let id = Some(format!("{:016x}", rand::random::<u64>())).filter(|_| rand::random());
    let mut fields = vec![("channel", channel.name.as_str()), ("data", data.get())];
    fields.extend(id.as_deref().map(|id| ("idempotency_key", id)));
    let mut is_certain = true;
    loop {
        match client.add(&ingest_tag(partition), &ingest_key(partition, "stream"), &fields).await {
            Ok(()) => {
                world.queues().counts.ingest_accepted.fetch_add(1, Relaxed);
                channel.stored(number, None, &world.tally);
                return;
            }
            Err(Failure::NotDone(_)) if id.is_none() && is_certain => return channel.refused(number),
            Err(Failure::NotDone(_)) => {}
            Err(Failure::Unknown(_)) => {
                is_certain = false;
                channel.uncertain(number);
            }
        }
        if world.abort.is_cancelled() || id.is_none() {
            return;
        }
        sleep(RETRY).await;
    }
}

/// Appends an entry with an unknown field.
async fn add_malformed(world: &World, client: &mut RedisClient, channel: &Channel, partition: u16) {
    let fields = [("channel", channel.name.as_str()), ("data", "1"), ("planted", "1")];
    if client.add(&ingest_tag(partition), &ingest_key(partition, "stream"), &fields).await.is_ok() {
        world.queues().counts.ingest_malformed.fetch_add(1, Relaxed);
    }
}
