//! From time to time the histories are read, and every subscriber has to have what they hold.

use crate::{
    ledger::{Channel, Kind},
    node::KEY,
    tally::Count,
    world::{Content, World},
};
use gateway_core::model::{Epoch, Position};
use reqwest::StatusCode;
use shared_proto::rest::HistoryBody;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Entries of one page.
const PAGE: u64 = 1000;

/// Remembers how far each channel was looked at.
#[derive(Default)]
pub(crate) struct Checkpoints {
    seen: HashMap<String, Position>,
}

/// What a channel held.
struct Held {
    channel: Arc<Channel>,
    top: Position,
    numbers: Vec<u32>,
}

impl Checkpoints {
    /// Waits until all nodes are ready and all subscribers have what the histories hold now. A publication that a subscriber does not have at the
    /// deadline counts as lost without a report. `last`: nothing is published any more.
    pub(crate) async fn check(&mut self, world: &World, patience: Duration, last: bool) {
        let deadline = Instant::now() + patience;
        self.ready(world, deadline).await;
        let mut all = Vec::new();
        for channel in &world.channels {
            let due = channel.begin_checkpoint();
            let Some(held) = self.read(world, channel, deadline).await else {
                world.tally.wrong(Count::Other, 1, || format!("{}: its history cannot be read", channel.name));
                continue;
            };
            let vanished = channel.holds(&held.numbers, &due, &world.tally);
            if !vanished.is_empty() {
                let case = || format!("{}: {} were acknowledged, and are not held", channel.name, some(&vanished));
                world.tally.wrong(Count::Other, vanished.len() as u64, case);
            }
            all.push(held);
        }
        for mut held in all {
            while !held.has_arrived(world, last) && Instant::now() < deadline {
                sleep(PAUSE).await;
                // What was trimmed meanwhile is no longer held.
                if held.channel.kind == Kind::Shallow
                    && let Some(now) = self.read(world, &held.channel, deadline).await
                {
                    held.numbers.retain(|number| now.numbers.contains(number));
                }
            }
            held.tell(world, last);
        }
    }

    async fn ready(&self, world: &World, deadline: Instant) {
        for node in &world.nodes {
            loop {
                if node.has_died().await {
                    world.tally.wrong(Count::Other, 1, || format!("{} ended by itself", node.name));
                    node.start().await;
                }
                let answer = world.http.get(node.rest("/readyz")).timeout(Duration::from_secs(2)).send().await;
                if answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::OK) {
                    break;
                }
                if Instant::now() >= deadline {
                    world.tally.wrong(Count::Other, 1, || format!("{} is not ready: {answer:?}", node.name));
                    break;
                }
                sleep(PAUSE).await;
            }
        }
    }

    /// What a channel holds beyond what was looked at before; for a shallow one, all that it holds.
    async fn read(&mut self, world: &World, channel: &Arc<Channel>, deadline: Instant) -> Option<Held> {
        let mut from = self.seen.get(&channel.name).copied().filter(|_| channel.kind != Kind::Shallow);
        let mut numbers = Vec::new();
        while Instant::now() < deadline {
            let since = from.map(|from| format!("&since={}:{}", from.epoch, from.offset)).unwrap_or_default();
            let path = format!("/v1/channels/{}/publications?limit={PAGE}&order=asc{since}", channel.name);
            let answer = world.http.get(world.any_node().rest(&path)).bearer_auth(KEY).timeout(Duration::from_secs(8)).send().await;
            let page = match answer {
                Ok(answer) if answer.status() == StatusCode::OK => answer.json::<HistoryBody>().await.ok(),
                Ok(answer) if answer.status() == StatusCode::CONFLICT => {
                    (from, numbers) = (None, Vec::new());
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
                numbers.push(serde_json::from_str::<Content>(publication.data.get()).ok()?.number);
            }
            let last = page.publications.last().map_or(page.offset, |last| last.offset);
            from = Some(Position { epoch, offset: last });
            if last >= page.offset {
                let top = Position { epoch, offset: page.offset };
                self.seen.insert(channel.name.clone(), top);
                return Some(Held { channel: channel.clone(), top, numbers });
            }
        }
        None
    }
}

/// For people.
fn some(numbers: &[u32]) -> String {
    let shown = &numbers[..numbers.len().min(5)];
    format!("{} publications, with the numbers {shown:?}{}", numbers.len(), if shown.len() < numbers.len() { " ..." } else { "" })
}

impl Held {
    fn has_arrived(&self, world: &World, last: bool) -> bool {
        world.followers.of(&self.channel).iter().all(|follower| {
            let follower = follower.lock().expect("no panic");
            (!last || follower.position() == Some(self.top)) && self.numbers.iter().all(|number| follower.has(*number))
        })
    }

    fn tell(&self, world: &World, last: bool) {
        for follower in world.followers.of(&self.channel) {
            let follower = follower.lock().expect("no panic");
            let missing: Vec<u32> = self.numbers.iter().copied().filter(|number| !follower.has(*number)).collect();
            let (who, name, at) = (&follower.who, &self.channel.name, follower.position());
            if let [first, ..] = missing[..] {
                let age = self
                    .channel
                    .age(first)
                    .map_or_else(|| "not acknowledged".into(), |age| format!("acknowledged {:.1} s ago", age.as_secs_f64()));
                world.tally.wrong(Count::Untold, missing.len() as u64, || {
                    format!("{who} of {name} stands at {at:?} and lacks what is held: {}; {age}", some(&missing))
                });
            } else if last && at != Some(self.top) {
                world.tally.wrong(Count::Other, 1, || format!("{who} of {name} stands at {at:?}, and the channel at {:?}", self.top));
            }
        }
    }
}
