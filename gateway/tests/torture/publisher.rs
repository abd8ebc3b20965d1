//! Publishers, as services and frontends are.

use crate::{
    client::{Client, Ended},
    ledger::Channel,
    node::KEY,
    tally::Count,
    world::{Content, World},
};
use gateway_core::model::{Epoch, Position};
use reqwest::StatusCode;
use shared_proto::{
    frontend::{Method, Publish},
    rest::{PositionBody, PublishRequest},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// For the answer to one request: longer than the gateways' own deadline.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between attempts.
const RETRY: Duration = Duration::from_millis(200);

/// Publishes over REST, one after the other, until the world stops. After each answer the next one follows after about `pause`.
pub(crate) async fn publish_as_service(world: Arc<World>, channel: Arc<Channel>, pause: Duration) {
    let mut last: Option<Position> = None;
    while !world.stop.is_cancelled() {
        sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
        if *world.hush.borrow() {
            continue;
        }
        let Some(position) = publish(&world, &channel, None).await else { continue };
        if let Some(last) = last.filter(|last| last.epoch == position.epoch && last.offset >= position.offset) {
            world.tally.wrong(Count::Disorder, 1, || format!("{}: {position:?} was acknowledged after {last:?}", channel.name));
        }
        last = Some(position);
    }
}

/// Publishes once, for certain, through one node or any. None: it is certain that it was not stored, or the world stopped before it was certain.
pub(crate) async fn publish(world: &World, channel: &Channel, via: Option<usize>) -> Option<Position> {
    let number = channel.next();
    let body = PublishRequest { data: Content::new(number).raw(), tags: BTreeMap::new(), ephemeral: false };
    let key = format!("{:016x}", rand::random::<u64>());
    let mut is_certain = true;
    loop {
        let node = via.map_or_else(|| world.any_node(), |node| &world.nodes[node]);
        let request = world.http.post(node.rest(&format!("/v1/channels/{}/publications", channel.name)));
        let sent = request.bearer_auth(KEY).header("idempotency-key", &key).timeout(PATIENCE).json(&body).send().await;
        match sent {
            Ok(answer) if answer.status() == StatusCode::OK => {
                if let Ok(position) = answer.json::<PositionBody>().await {
                    let position = Epoch::parse(&position.epoch).map(|epoch| Position { epoch, offset: position.offset });
                    channel.stored(number, position, &world.tally);
                    return position;
                }
                is_certain = false;
            }
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
                if is_certain && rand::random() {
                    channel.refused(number);
                    return None;
                }
            }
            // A node that stood still for long answers so before it has read the request.
            Ok(answer) if matches!(answer.status(), StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT) => {}
            Ok(answer) if answer.status() == StatusCode::GATEWAY_TIMEOUT => is_certain = false,
            Ok(answer) => {
                world.tally.wrong(Count::Other, 1, || format!("{}: a publish was answered {}", channel.name, answer.status()));
                return None;
            }
            Err(error) if error.is_connect() => {}
            Err(_) => is_certain = false,
        }
        if !is_certain {
            channel.uncertain(number);
        }
        if world.gives_up.is_cancelled() {
            return None;
        }
        sleep(RETRY).await;
    }
}

/// The same over the frontend protocol, where a publish has no key: what has no answer is left open.
pub(crate) async fn publish_as_frontend(world: Arc<World>, channel: Arc<Channel>, pause: Duration) {
    while !world.stop.is_cancelled() {
        let Ok(mut client) = Client::connect(world.any_node().public.address()).await else {
            sleep(RETRY).await;
            continue;
        };
        while !world.stop.is_cancelled() {
            let number = channel.next();
            match say(&mut client, &channel, number).await {
                Ok(Said::Stored) => channel.stored(number, None, &world.tally),
                Ok(Said::Refused) => channel.refused(number),
                Ok(Said::Unknown) => channel.uncertain(number),
                Err(_) => {
                    channel.uncertain(number);
                    break;
                }
            }
            let mut rested = rest(&mut client, pause.mul_f64(rand::random_range(0.5..1.5))).await;
            while rested.is_ok() && *world.hush.borrow() {
                rested = rest(&mut client, RETRY).await;
            }
            if rested.is_err() {
                break;
            }
        }
    }
}

enum Said {
    Stored,
    Refused,
    Unknown,
}

async fn say(client: &mut Client, channel: &Channel, number: u32) -> Result<Said, Ended> {
    let publish = Publish { channel: channel.name.clone(), data: Content::new(number).raw() };
    let id = client.send(Method::Publish(publish)).await?;
    let patience = Instant::now() + PATIENCE;
    loop {
        let frame = timeout_at(patience, client.next()).await.map_err(|_| Ended::Broken)??;
        if frame.id == id {
            return Ok(match frame.error {
                None => Said::Stored,
                Some(error) if error.code == 1000 => Said::Refused,
                Some(_) => Said::Unknown,
            });
        }
    }
}

/// Answers pings for a while.
async fn rest(client: &mut Client, time: Duration) -> Result<(), Ended> {
    let until = Instant::now() + time;
    while let Ok(frame) = timeout_at(until, client.next()).await {
        frame?;
    }
    Ok(())
}

/// Many publications into one channel at once, through one node or any.
pub(crate) async fn burst(world: &Arc<World>, channel: &Arc<Channel>, count: usize, via: Option<usize>) {
    const SIDE_BY_SIDE: usize = 32;
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..SIDE_BY_SIDE.min(count) {
        let (world, channel) = (world.clone(), channel.clone());
        tasks.spawn(async move {
            for _ in (worker..count).step_by(SIDE_BY_SIDE) {
                publish(&world, &channel, via).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}
