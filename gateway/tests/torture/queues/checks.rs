//! Checkpoints of the queues: waits until everything that was accepted is processed.

use super::{
    consumers,
    plan::{Delivery, SERVICES},
};
use crate::{node::KEY, tally::Count, world::World};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared_proto::rest::{DeadLettersBody, QueueBody};
use std::{collections::BTreeSet, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::time::{Instant, sleep};

/// Pause between two checks of the same condition.
const PAUSE: Duration = Duration::from_millis(100);
/// Number of dead letters in a page.
const PAGE: u32 = 100;
/// Number of cases that are described.
const SHOWN: usize = 5;

/// Waits until all events that were accepted before are processed. What is open when nothing more is processed within `time_limit` counts as an
/// unreported loss. `last`: nobody sends any more, so all queues must become empty.
pub(crate) async fn check(world: &World, time_limit: Duration, last: bool) {
    let Some(queues) = &world.queues else { return };
    let before: BTreeSet<_> = queues.events.open().into_iter().collect();
    let open = || queues.events.open().into_iter().filter(|event| before.contains(event)).collect::<Vec<_>>();
    let open = until_empty(time_limit, open).await;
    if !open.is_empty() {
        let shown: Vec<_> = open.iter().take(SHOWN).map(|event| queues.events.describe(event)).collect();
        let case = || format!("{} accepted events are not processed: {shown:#?}", open.len());
        world.tally.violation(Count::UnreportedLosses, open.len() as u64, case);
    }
    if last {
        await_empty(world, Instant::now() + time_limit).await;
    }
    let known: BTreeSet<_> = queues.lifecycle.missing(last).into_iter().map(|case| subject(&case)).collect();
    let missing = || queues.lifecycle.missing(last).into_iter().filter(|case| known.contains(&subject(case))).collect::<Vec<_>>();
    let missing = until_empty(time_limit, missing).await;
    if !missing.is_empty() {
        let case = || format!("{} ends were not reported: {:#?}", missing.len(), &missing[..missing.len().min(SHOWN)]);
        world.tally.violation(Count::UnreportedLosses, missing.len() as u64, case);
    }
    let deadline = Instant::now() + time_limit;
    check_dead(world, deadline).await;
    if last {
        check_poisons(world);
    }
}

/// Whom a missing lifecycle event is about.
fn subject(case: &str) -> String {
    case.split(' ').next().unwrap_or_default().to_owned()
}

/// Reads until there is nothing, or nothing less within `time_limit`. On a busy machine consumers take long for what has piled up during a fault.
async fn until_empty<T>(time_limit: Duration, read: impl Fn() -> Vec<T>) -> Vec<T> {
    let (mut least, mut since) = (usize::MAX, Instant::now());
    loop {
        let all = read();
        if all.len() < least {
            (least, since) = (all.len(), Instant::now());
        }
        if all.is_empty() || since.elapsed() >= time_limit {
            return all;
        }
        sleep(PAUSE).await;
    }
}

/// The paths of all queues.
fn paths() -> impl Iterator<Item = String> {
    SERVICES.into_iter().map(|service| format!("/v1/services/{}/queue", service.name)).chain(["/v1/ingest".to_owned()])
}

/// Waits until all queues are empty.
async fn await_empty(world: &World, deadline: Instant) {
    for path in paths() {
        loop {
            let body: Result<QueueBody, _> = get(world, &path).await;
            if body.as_ref().is_ok_and(|queue| queue.depth == 0) {
                break;
            }
            if Instant::now() >= deadline {
                world.tally.violation(Count::Other, 1, || format!("{path} does not become empty: {body:?}"));
                break;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Reads all dead letters, and checks that they are those that were planted.
async fn check_dead(world: &World, deadline: Instant) {
    let queues = world.queues();
    for service in SERVICES.into_iter().filter(|service| service.delivery != Delivery::Streams) {
        for letter in dead_letters(world, &format!("/v1/services/{}/queue/dead", service.name), deadline).await {
            match consumers::read(&letter["event"]) {
                Some((name, _)) => queues.events.is_dead(service, &name, &letter.to_string(), &world.tally),
                None => world.tally.violation(Count::Other, 1, || format!("{} has the dead letter {letter}", service.name)),
            }
        }
    }
    let of_ingest = dead_letters(world, "/v1/ingest/dead", deadline).await;
    queues.counts.ingest_dead.store(of_ingest.len() as u64, Relaxed);
    for letter in of_ingest {
        if letter["fields"]["planted"] != "1" {
            world.tally.violation(Count::Other, 1, || format!("ingest has the dead letter {letter}"));
        }
    }
}

/// Checks that all poisoned events are dead letters.
fn check_poisons(world: &World) {
    let events = &world.queues().events;
    let alive = events.close();
    if !alive.is_empty() {
        let shown: Vec<_> = alive.iter().take(SHOWN).map(|event| events.describe(event)).collect();
        world
            .tally
            .violation(Count::Other, alive.len() as u64, || format!("{} poisoned events are no dead letters: {shown:#?}", alive.len()));
    }
}

async fn dead_letters(world: &World, path: &str, deadline: Instant) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    while Instant::now() < deadline {
        match get::<DeadLettersBody>(world, &format!("{path}?limit={PAGE}{after}")).await {
            Ok(page) => {
                all.extend(page.dead_letters.iter().map(|letter| serde_json::to_value(letter).expect("it is JSON")));
                match page.next {
                    Some(next) => after = format!("&after={next}"),
                    None => return all,
                }
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
    world.tally.violation(Count::Other, 1, || format!("{path} cannot be read"));
    all
}

async fn get<T: DeserializeOwned>(world: &World, path: &str) -> Result<T, String> {
    let answer = world.http.get(world.any_node().rest(path)).bearer_auth(KEY).timeout(Duration::from_secs(8)).send().await;
    let answer = answer.map_err(|error| error.to_string())?;
    let (status, text) = (answer.status(), answer.text().await.map_err(|error| error.to_string())?);
    serde_json::from_str(&text).map_err(|error| format!("{status} {error}: {text}"))
}
