//! A program of a service that reads a partition of the queue in Redis: what it has read before its death, then what is new.

use super::work::{self, End};
use crate::{
    queues::{
        life::ProcessState,
        plan::{Service, queue_key, tag},
        redis_client::{Failure, RedisClient},
    },
    tally::Count,
    world::World,
};
use redis::{Cmd, Value as Reply, cmd};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Pause before another read, when there is nothing new or the store does not answer.
const PAUSE: Duration = Duration::from_millis(50);
/// Number of entries of one read.
const COUNT: u32 = 16;
/// The consumer group, and the only consumer in it.
const GROUP: &str = "torture";

/// An entry: its id and its fields.
type Entry = (String, Vec<String>);

/// An answer about one stream: its key and its entries. Those that were deleted have no fields.
type Stream = (String, Vec<(String, Option<Vec<String>>)>);

/// Reads one partition. When the future is dropped, the work in hand is forgotten.
pub(super) async fn run(world: Arc<World>, service: &'static Service, partition: u16, mut state: ProcessState) {
    let (tag, mut client) = (tag(service.name, partition), RedisClient::new(world.clone()));
    let key = queue_key(&tag, "entries");
    // What it has read before its death comes first.
    let mut after = "0".to_owned();
    loop {
        state.thawed().await;
        let entries = match read(&mut client, &tag, &key, &after).await {
            Ok(entries) => entries,
            Err(failure) => {
                if failure.to_string().contains("NOGROUP") {
                    let mut create = cmd("XGROUP");
                    create.arg("CREATE").arg(&key).arg(GROUP).arg("0").arg("MKSTREAM");
                    let _ = client.run::<Reply>(&tag, &create).await;
                }
                after = "0".into();
                sleep(PAUSE).await;
                continue;
            }
        };
        if entries.is_empty() {
            if after == ">" {
                sleep(PAUSE).await;
            }
            after = ">".into();
        }
        for (id, fields) in entries {
            state.thawed().await;
            if after != ">" {
                after.clone_from(&id);
            }
            // The entry was deleted, and the answer was lost.
            if !fields.is_empty() {
                handle(&world, service, partition, &fields).await;
            }
            state.thawed().await;
            if remove(&mut client, &tag, &key, &id).await.is_err() {
                // It may be there still.
                after = "0".into();
                break;
            }
        }
    }
}

/// Works on an entry. What failed is tried again at once: the order is this program's own business.
async fn handle(world: &Arc<World>, service: &'static Service, partition: u16, fields: &[String]) {
    let field = |name: &str| fields.chunks(2).find(|field| field[0] == name).and_then(|field| field.get(1));
    let (Some(id), Some(event)) = (field("id"), field("event")) else {
        world.tally.violation(Count::Other, 1, || format!("{}: an entry has the fields {fields:?}", service.name));
        return;
    };
    let mut event: Value = serde_json::from_str(event).unwrap_or_default();
    if event["id"] != **id {
        world.tally.violation(Count::Other, 1, || format!("{}: the entry of {id} has the event {event}", service.name));
    }
    event["partition"] = json!(partition);
    if let Some(key) = field("key") {
        event["key"] = json!(key);
    }
    loop {
        let plan = work::receive(world, service, &event);
        sleep(plan.takes.min(Duration::from_millis(20))).await;
        plan.finish(world);
        if matches!(plan.end, End::Done | End::Refused) {
            return;
        }
    }
}

async fn read(client: &mut RedisClient, tag: &str, key: &str, after: &str) -> Result<Vec<Entry>, Failure> {
    let mut command = cmd("XREADGROUP");
    command.arg("GROUP").arg(GROUP).arg("0").arg("COUNT").arg(COUNT).arg("STREAMS").arg(key).arg(after);
    let streams: Option<Vec<Stream>> = client.run(tag, &command).await?;
    let entries = streams.unwrap_or_default().into_iter().flat_map(|(_, entries)| entries);
    Ok(entries.map(|(id, fields)| (id, fields.unwrap_or_default())).collect())
}

/// Ends an entry. If the answer to the first command is lost, the entry is still pending, so that the next read finds it.
async fn remove(client: &mut RedisClient, tag: &str, key: &str, id: &str) -> Result<(), Failure> {
    let commands: [Cmd; 2] = [cmd("XDEL").arg(key).arg(id).clone(), cmd("XACK").arg(key).arg(GROUP).arg(id).clone()];
    for command in commands {
        client.run::<Reply>(tag, &command).await?;
    }
    Ok(())
}
