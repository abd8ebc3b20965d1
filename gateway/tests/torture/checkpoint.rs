//! Checkpoints: read the histories, and check that every subscriber has received their content.

use crate::{
    content,
    ledger::{Channel, HeldPublication, Kind},
    node::KEY,
    tally::Count,
    world::World,
};
use gateway_core::model::{Epoch, Position};
use reqwest::StatusCode;
use shared_proto::rest::HistoryBody;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Pause between two checks of the same condition.
const PAUSE: Duration = Duration::from_millis(50);
/// Number of publications in a page of history.
const PAGE: u64 = 1000;

/// The position up to which each history was read.
#[derive(Default)]
pub(crate) struct Checkpoints {
    read_up_to: HashMap<String, Position>,
}

/// The content of a channel's history.
struct Held {
    channel: Arc<Channel>,
    top: Position,
    publications: Vec<HeldPublication>,
}

impl Checkpoints {
    /// Waits until all nodes are ready and all subscribers have the content of the histories. A publication that a subscriber does not have at the
    /// deadline counts as an unreported loss. `last`: the publishers have stopped.
    pub(crate) async fn check(&mut self, world: &World, time_limit: Duration, last: bool) {
        let deadline = Instant::now() + time_limit;
        self.await_ready(world, deadline).await;
        let mut all = Vec::new();
        for channel in &world.channels {
            let expected = channel.begin_checkpoint();
            let Some(mut held) = self.read(world, channel, deadline).await else {
                world.tally.violation(Count::Other, 1, || format!("{}: its history cannot be read", channel.name));
                continue;
            };
            let mut missing = channel.check_history(&held.publications, &expected, &world.tally);
            // Entries of ingest are published some time after they were acknowledged.
            while !channel.partitions.is_empty() && !missing.is_empty() && Instant::now() < deadline {
                sleep(PAUSE).await;
                let Some(more) = self.read(world, channel, deadline).await else { break };
                held.top = more.top;
                held.publications.extend(more.publications);
                missing = channel.check_history(&held.publications, &expected, &world.tally);
            }
            if !missing.is_empty() {
                let case = || format!("{}: {} were acknowledged, but are not in the history", channel.name, summary(&missing));
                world.tally.violation(Count::Other, missing.len() as u64, case);
            }
            all.push(held);
        }
        for mut held in all {
            while !held.has_arrived(world, last) && Instant::now() < deadline {
                sleep(PAUSE).await;
                // The history may have been trimmed meanwhile.
                if held.channel.kind == Kind::ShortHistory
                    && let Some(now) = self.read(world, &held.channel, deadline).await
                {
                    held.publications.retain(|held| now.publications.contains(held));
                }
            }
            held.report_missing(world, last);
        }
    }

    /// Waits until all nodes are ready.
    pub(crate) async fn await_ready(&self, world: &World, deadline: Instant) {
        for node in &world.nodes {
            loop {
                if node.has_died().await {
                    world.tally.violation(Count::Other, 1, || format!("{} ended unexpectedly", node.name));
                    node.start().await;
                }
                let answer = world.http.get(node.rest("/readyz")).timeout(Duration::from_secs(2)).send().await;
                if answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::OK) {
                    break;
                }
                if Instant::now() >= deadline {
                    world.tally.violation(Count::Other, 1, || format!("{} is not ready: {answer:?}", node.name));
                    break;
                }
                sleep(PAUSE).await;
            }
        }
    }

    /// Reads the part of a history that is new since the last checkpoint, or a short history completely.
    async fn read(&mut self, world: &World, channel: &Arc<Channel>, deadline: Instant) -> Option<Held> {
        let mut from = self.read_up_to.get(&channel.name).copied().filter(|_| channel.kind != Kind::ShortHistory);
        let mut held = Vec::new();
        while Instant::now() < deadline {
            let since = from.map(|from| format!("&since={}:{}", from.epoch, from.offset)).unwrap_or_default();
            let path = format!("/v1/channels/{}/publications?limit={PAGE}&order=asc{since}", channel.name);
            let answer = world.http.get(world.any_node().rest(&path)).bearer_auth(KEY).timeout(Duration::from_secs(8)).send().await;
            let page = match answer {
                Ok(answer) if answer.status() == StatusCode::OK => answer.json::<HistoryBody>().await.ok(),
                Ok(answer) if answer.status() == StatusCode::CONFLICT => {
                    (from, held) = (None, Vec::new());
                    continue;
                }
                _ => None,
            };
            let Some(page) = page else {
                sleep(PAUSE).await;
                continue;
            };
            let epoch = Epoch::parse(&page.epoch)?;
            for publication in &page.publications {
                let number = content::of_history(publication)?;
                held.push(HeldPublication { offset: publication.offset, number });
            }
            let last = page.publications.last().map_or(page.offset, |last| last.offset);
            from = Some(Position { epoch, offset: last });
            if last >= page.offset {
                let top = Position { epoch, offset: page.offset };
                self.read_up_to.insert(channel.name.clone(), top);
                return Some(Held { channel: channel.clone(), top, publications: held });
            }
        }
        None
    }
}

/// A short description of some publications.
fn summary(numbers: &[u32]) -> String {
    let shown = &numbers[..numbers.len().min(5)];
    format!("{} publications, with the numbers {shown:?}{}", numbers.len(), if shown.len() < numbers.len() { " ..." } else { "" })
}

impl Held {
    fn has_arrived(&self, world: &World, last: bool) -> bool {
        world.checkers.of(&self.channel).iter().all(|checker| {
            let checker = checker.lock().expect("no panic");
            (!last || checker.is_at(self.top)) && self.publications.iter().all(|held| checker.has(held))
        })
    }

    fn report_missing(&self, world: &World, last: bool) {
        for checker in world.checkers.of(&self.channel) {
            let checker = checker.lock().expect("no panic");
            let missing: Vec<u32> = self.publications.iter().filter(|held| !checker.has(held)).map(|held| held.number).collect();
            let (who, name, at) = (&checker.who, &self.channel.name, checker.position());
            if let [first, ..] = missing[..] {
                let age = self
                    .channel
                    .age(first)
                    .map_or_else(|| "not acknowledged".into(), |age| format!("acknowledged {:.1} s ago", age.as_secs_f64()));
                world.tally.violation(Count::UnreportedLosses, missing.len() as u64, || {
                    format!("{who} of {name} is at {at:?} without publications of the history: {}; {age}", summary(&missing))
                });
            } else if last && !checker.is_at(self.top) {
                world.tally.violation(Count::Other, 1, || format!("{who} of {name} is at {at:?}, and the channel at {:?}", self.top));
            }
        }
    }
}
