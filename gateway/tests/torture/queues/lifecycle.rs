//! Records the frontends that come and go, and checks the lifecycle events about them.

use super::plan::ROOMS;
use crate::tally::{Count, Tally};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

/// For this time after a fault, the store may still lose what nodes wrote.
const GRACE: Duration = Duration::from_secs(10);

/// The kinds that the service gets.
pub(crate) const KINDS: [&str; 6] = ["connected", "disconnected", "subscribed", "unsubscribed", "occupied", "vacated"];

/// All lifecycle events.
#[derive(Default)]
pub(crate) struct Lifecycle(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    /// What each id stands for.
    ids: HashMap<String, Fact>,
    /// The frontends of this test that have ended, and when they began.
    ended: HashMap<String, Instant>,
    /// By connection: what began there, and the first delivery of its end.
    connections: HashMap<String, Vec<Interval>>,
    /// By channel, the same for occupations.
    occupations: HashMap<String, Vec<Interval>>,
    counts: BTreeMap<&'static str, u64>,
    repeats: u64,
    /// The store may lose what began before this time.
    at_risk_until: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    kind: String,
    subject: String,
    generation: String,
}

/// Something with a begin and an end.
#[derive(Debug)]
struct Interval {
    what: &'static str,
    channel: String,
    generation: String,
    time: u64,
    began: Option<Instant>,
    ended: bool,
}

/// Marks that the store may lose what nodes wrote, until this is dropped.
pub(crate) struct AtRisk<'a>(&'a Lifecycle);

impl Drop for AtRisk<'_> {
    fn drop(&mut self) {
        self.0.set_at_risk(GRACE);
    }
}

impl Lifecycle {
    /// What nodes have written, and what they write until the result is dropped, may be lost.
    pub(crate) fn at_risk(&self) -> AtRisk<'_> {
        self.set_at_risk(Duration::from_hours(1));
        AtRisk(self)
    }

    fn set_at_risk(&self, time: Duration) {
        self.lock().at_risk_until = Some(Instant::now() + time);
    }

    /// A frontend of this test, which began at `began`, has ended.
    pub(crate) fn ended(&self, connection: &str, began: Instant) {
        self.lock().ended.insert(connection.to_owned(), began);
    }

    /// A consumer got an event.
    pub(crate) fn received(&self, event: &Value, tally: &Tally) {
        let ledger = &mut *self.lock();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (kind, connection, generation) = (text("kind"), text("connection"), text("generation"));
        let channel = event["data"]["channel"].as_str().unwrap_or_default().to_owned();
        let Some(known) = KINDS.into_iter().find(|known| *known == kind) else {
            tally.violation(Count::Other, 1, || format!("no lifecycle event: {event}"));
            return;
        };
        let fact = Fact { kind, subject: format!("{connection} {channel}"), generation: generation.clone() };
        let first = ledger.ids.entry(text("id")).or_insert_with(|| fact.clone());
        if *first != fact {
            tally.violation(Count::Other, 1, || format!("the id of {first:?} is also that of {fact:?}"));
        }
        *ledger.counts.entry(known).or_default() += 1;
        let is_ours = channel.is_empty() || channel.starts_with(ROOMS);
        let (of, what) = match known {
            "connected" | "disconnected" => (ledger.connections.entry(connection).or_default(), "connection"),
            "subscribed" | "unsubscribed" if is_ours => (ledger.connections.entry(connection).or_default(), "subscription"),
            "occupied" | "vacated" if is_ours => (ledger.occupations.entry(channel.clone()).or_default(), "occupation"),
            _ => return,
        };
        let is_begin = matches!(known, "connected" | "subscribed" | "occupied");
        let time = event["time"].as_u64().unwrap_or_default();
        let same = of.iter_mut().find(|one| one.what == what && one.channel == channel && one.generation == generation);
        if let Some(one) = same {
            let is_repeat = if is_begin { one.began.is_some() } else { one.ended };
            ledger.repeats += u64::from(is_repeat);
            one.ended |= !is_begin;
            if is_begin {
                one.began.get_or_insert_with(Instant::now);
                one.time = one.time.max(time);
            }
        } else {
            let began = is_begin.then(Instant::now);
            of.push(Interval { what, channel, generation, time, began, ended: !is_begin });
        }
    }

    /// What has ended at a frontend without an event that says so. `last`: all frontends of this test have ended, so all occupations have, too.
    pub(crate) fn missing(&self, last: bool) -> Vec<String> {
        let ledger = self.lock();
        let may_be_lost = |began: Instant| ledger.at_risk_until.is_some_and(|until| began < until);
        let mut missing = Vec::new();
        for (connection, began) in ledger.ended.iter().filter(|(_, began)| !may_be_lost(**began)) {
            let all = ledger.connections.get(connection).map_or(&[][..], Vec::as_slice);
            missing.extend(without_end(all).map(|one| format!("{connection} ({:.1} s ago): {one:?}", began.elapsed().as_secs_f64())));
        }
        if last {
            for (channel, all) in &ledger.occupations {
                let all = without_end(all).filter(|one| !one.began.is_some_and(may_be_lost));
                missing.extend(all.map(|one| format!("{channel}: {one:?}")));
            }
        }
        missing
    }

    /// Number of events by kind, and number of repeats.
    pub(crate) fn counts(&self) -> (BTreeMap<&'static str, u64>, u64) {
        let ledger = self.lock();
        (ledger.counts.clone(), ledger.repeats)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.0.lock().expect("no panic")
    }
}

/// What began and did not end. A node that all others took for dead begins again, under a new generation: then the older begins need no end.
fn without_end(all: &[Interval]) -> impl Iterator<Item = &Interval> {
    let is_newest =
        |one: &Interval| !all.iter().any(|other| other.what == one.what && other.channel == one.channel && other.time > one.time);
    all.iter().filter(move |one| one.began.is_some() && !one.ended && is_newest(one))
}
