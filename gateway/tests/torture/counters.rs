//! Reads metrics of the gateways. They show whether the faults had an effect, and how the gateways detected it.

use crate::{node::KEY, world::World};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// The metrics that are shown, without `switchboard_` and `_total`.
const SHOWN: &[&str] = &[
    "backfills",
    "forks",
    "gaps_lost",
    "audit_losses",
    "mailbox_dropped",
    "outbox_overflow",
    "redis_interruptions",
    "redis_resubscribed",
    "queue_events",
    "queue_deliveries",
    "queue_dead_letters",
    "ingest_entries",
];

/// The newest counts of each process.
#[derive(Default)]
pub(crate) struct Counters {
    of: HashMap<String, BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// Reads the metrics of all nodes. Counts of a process after its last scrape are missed.
    pub(crate) async fn scrape(&mut self, world: &World) {
        for node in &world.nodes {
            // Each process has a different address.
            let url = node.rest("/metrics");
            let Ok(answer) = world.http.get(&url).bearer_auth(KEY).timeout(Duration::from_secs(2)).send().await else { continue };
            let Ok(text) = answer.text().await else { continue };
            self.of.insert(url, SHOWN.iter().map(|name| (*name, sum(&text, name))).collect());
        }
    }

    /// The sums over all processes.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.of.values().flatten() {
            *all.entry(*name).or_default() += count;
        }
        all
    }
}

/// The sum of a counter over all of its labels.
fn sum(text: &str, name: &str) -> u64 {
    let name = format!("switchboard_{name}_total");
    let of = text.lines().filter_map(|line| line.strip_prefix(&name)).filter(|rest| rest.starts_with([' ', '{']));
    of.filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
