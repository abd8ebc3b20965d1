//! Publishers over REST and over the frontend protocol.

use crate::{
    client::{Client, Ended, Form, Transport},
    content,
    ledger::Channel,
    node::KEY,
    tally::Count,
    world::World,
};
use gateway_core::model::{Epoch, Position};
use reqwest::StatusCode;
use shared_proto::{
    frontend::{Method, Publish},
    rest::PositionBody,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// Time limit of one request. It is longer than the gateway's own deadline.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Pause between two attempts.
const RETRY: Duration = Duration::from_millis(200);

/// Publishes over REST until the run stops, with a pause of about `pause` after each response.
pub(crate) async fn publish_as_service(world: Arc<World>, channel: Arc<Channel>, pause: Duration) {
    let mut last: Option<Position> = None;
    while !world.stop.is_cancelled() {
        sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
        if *world.publishers_paused.borrow() {
            continue;
        }
        let Some(position) = publish(&world, &channel, None).await else { continue };
        if let Some(last) = last.filter(|last| last.epoch == position.epoch && last.offset >= position.offset) {
            world.tally.violation(Count::Disorder, 1, || format!("{}: {position:?} was acknowledged after {last:?}", channel.name));
        }
        last = Some(position);
    }
}

/// Publishes once, through the node `via` or through random nodes, and retries until the outcome is certain. Returns `None` if the publication was
/// not stored, or if the run stopped before.
pub(crate) async fn publish(world: &World, channel: &Channel, via: Option<usize>) -> Option<Position> {
    let is_skipped = rand::random();
    let number = channel.next(is_skipped);
    let body = content::request(number, is_skipped);
    let key = format!("{:016x}", rand::random::<u64>());
    let mut is_certain = true;
    loop {
        let node = via.map_or_else(|| world.any_node(), |node| &world.nodes[node]);
        let request = world.http.post(node.rest(&format!("/v1/channels/{}/publications", channel.name)));
        let sent = request.bearer_auth(KEY).header("idempotency-key", &key).timeout(TIMEOUT).json(&body).send().await;
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
            // A node that was suspended answers with these before it reads the request.
            Ok(answer) if matches!(answer.status(), StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT) => {}
            Ok(answer) if answer.status() == StatusCode::GATEWAY_TIMEOUT => is_certain = false,
            Ok(answer) => {
                world.tally.violation(Count::Other, 1, || format!("{}: a publish was answered {}", channel.name, answer.status()));
                return None;
            }
            Err(error) if error.is_connect() => {}
            Err(_) => is_certain = false,
        }
        if !is_certain {
            channel.uncertain(number);
        }
        if world.abort.is_cancelled() {
            return None;
        }
        sleep(RETRY).await;
    }
}

/// Publishes over the frontend protocol until the run stops. That protocol has no idempotency keys, so a publication without a reply stays
/// uncertain.
pub(crate) async fn publish_as_frontend(world: Arc<World>, channel: Arc<Channel>, pause: Duration) {
    while !world.stop.is_cancelled() {
        let Ok(mut client) = Client::connect(&world, Transport::WebSocket, Form::PLAIN).await else {
            sleep(RETRY).await;
            continue;
        };
        while !world.stop.is_cancelled() {
            let number = channel.next(false);
            match publish_over(&mut client, &channel, number).await {
                Ok(Outcome::Stored) => channel.stored(number, None, &world.tally),
                Ok(Outcome::Refused) => channel.refused(number),
                Ok(Outcome::Unknown) => channel.uncertain(number),
                Err(_) => {
                    channel.uncertain(number);
                    break;
                }
            }
            let mut waited = wait(&mut client, pause.mul_f64(rand::random_range(0.5..1.5))).await;
            while waited.is_ok() && *world.publishers_paused.borrow() {
                waited = wait(&mut client, RETRY).await;
            }
            if waited.is_err() {
                break;
            }
        }
    }
}

enum Outcome {
    Stored,
    Refused,
    Unknown,
}

async fn publish_over(client: &mut Client, channel: &Channel, number: u32) -> Result<Outcome, Ended> {
    let publish = Publish { channel: channel.name.clone(), data: content::document(number) };
    let id = client.send(Method::Publish(publish)).await?;
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let frame = timeout_at(deadline, client.next()).await.map_err(|_| Ended::Broken)??;
        if frame.id == id {
            return Ok(match frame.error {
                None => Outcome::Stored,
                Some(error) if error.code == 1000 => Outcome::Refused,
                Some(_) => Outcome::Unknown,
            });
        }
    }
}

/// Waits for this time, and answers pings meanwhile.
async fn wait(client: &mut Client, time: Duration) -> Result<(), Ended> {
    let until = Instant::now() + time;
    while let Ok(frame) = timeout_at(until, client.next()).await {
        frame?;
    }
    Ok(())
}

/// Publishes many publications into one channel concurrently, through the node `via` or through random nodes.
pub(crate) async fn burst(world: &Arc<World>, channel: &Arc<Channel>, count: usize, via: Option<usize>) {
    const CONCURRENCY: usize = 32;
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..CONCURRENCY.min(count) {
        let (world, channel) = (world.clone(), channel.clone());
        tasks.spawn(async move {
            for _ in (worker..count).step_by(CONCURRENCY) {
                publish(&world, &channel, via).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}
