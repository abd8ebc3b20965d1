//! What was published into each channel, and what became of it. Every publication carries a number that is its own in its channel.

use crate::{
    numbers::Numbers,
    tally::{Count, Tally},
};
use gateway_core::model::Position;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How long a channel's history is, and who follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is trimmed; many subscribers.
    Deep,
    /// Nothing is trimmed; so few subscribers that some nodes have none.
    Lonely,
    /// Who is away for a few seconds comes too late.
    Shallow,
}

/// What was on its way when the store lost something may still arrive for so long.
const GRACE: Duration = Duration::from_secs(10);

/// One channel.
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    ledger: Mutex<Ledger>,
}

/// Channels of which the store may lose what it acknowledged, until this is dropped.
pub(crate) struct AtRisk(Vec<Arc<Channel>>);

impl AtRisk {
    pub(crate) fn begin(channels: Vec<Arc<Channel>>) -> Self {
        for channel in &channels {
            let mut ledger = channel.ledger.lock().expect("no panic");
            ledger.lost_until = Some(Instant::now() + Duration::from_hours(1));
            ledger.at_risk = true;
        }
        Self(channels)
    }
}

impl Drop for AtRisk {
    fn drop(&mut self) {
        for channel in &self.0 {
            channel.ledger.lock().expect("no panic").lost_until = Some(Instant::now() + GRACE);
        }
    }
}

/// What has to be held.
pub(crate) struct Due {
    /// Acknowledged since the last checkpoint.
    numbers: Vec<u32>,
    /// The store may have lost some.
    at_risk: bool,
}

#[derive(Default)]
struct Ledger {
    records: Vec<Record>,
    /// Which publication stands where.
    places: HashMap<Position, u32>,
    /// Acknowledged since the last checkpoint.
    fresh: Vec<u32>,
    /// Seen in the history by some checkpoint.
    held: Numbers,
    /// The store may have lost something since the last checkpoint.
    at_risk: bool,
    /// Until when positions that subscribers took may be lost by the store's fault.
    lost_until: Option<Instant>,
}

#[derive(Default)]
struct Record {
    answer: Answer,
    /// Some attempt to publish it had no answer: the store may have taken it, and lost it, before it took it again.
    uncertain: bool,
}

#[derive(Default)]
enum Answer {
    #[default]
    None,
    Stored(Instant, Option<Position>),
    /// Surely not stored.
    Refused,
}

impl Channel {
    pub(crate) fn new(name: String, kind: Kind) -> Self {
        Self { name, kind, ledger: Mutex::default() }
    }

    /// A number for a publication that is about to be made.
    pub(crate) fn next(&self) -> u32 {
        let mut ledger = self.ledger.lock().expect("no panic");
        ledger.records.push(Record::default());
        ledger.records.len() as u32 - 1
    }

    /// An attempt had no answer.
    pub(crate) fn uncertain(&self, number: u32) {
        self.ledger.lock().expect("no panic").records[number as usize].uncertain = true;
    }

    /// Its publisher got the answer that it will never arrive.
    pub(crate) fn refused(&self, number: u32) {
        self.ledger.lock().expect("no panic").records[number as usize].answer = Answer::Refused;
    }

    /// Its publisher got the answer that it is stored.
    pub(crate) fn stored(&self, number: u32, position: Option<Position>, tally: &Tally) {
        tally.add(Count::Acknowledged, 1);
        let mut ledger = self.ledger.lock().expect("no panic");
        ledger.records[number as usize].answer = Answer::Stored(Instant::now(), position);
        ledger.fresh.push(number);
        if let Some(position) = position {
            self.stands(&mut ledger, number, position, "was acknowledged", tally);
        }
    }

    /// A subscriber got it at this position, for the `first` time. Answers whether it may come a second time.
    pub(crate) fn delivered(&self, number: u32, position: Position, first: bool, tally: &Tally) -> bool {
        let mut ledger = self.ledger.lock().expect("no panic");
        let Some(record) = ledger.records.get(number as usize) else {
            tally.wrong(Count::Other, 1, || format!("{} {position:?}: number {number} was never published", self.name));
            return false;
        };
        let uncertain = record.uncertain;
        match &record.answer {
            Answer::None => {}
            Answer::Refused => {
                tally.wrong(Count::Other, 1, || format!("{} {position:?}: number {number} was surely not stored, and arrived", self.name));
            }
            Answer::Stored(at, place) => {
                if first {
                    tally.stalled(at.elapsed());
                }
                let fits = place.is_none_or(|place| place.offset == position.offset || (uncertain && place.epoch != position.epoch));
                if !fits {
                    let case = || format!("{} {position:?}: number {number} was acknowledged at {place:?}", self.name);
                    tally.wrong(Count::Disorder, 1, case);
                }
            }
        }
        self.stands(&mut ledger, number, position, "arrived", tally);
        uncertain
    }

    fn stands(&self, ledger: &mut Ledger, number: u32, position: Position, how: &str, tally: &Tally) {
        let there = *ledger.places.entry(position).or_insert(number);
        if there != number {
            let case = || format!("{} {position:?}: number {number} {how} where number {there} stood", self.name);
            tally.wrong(Count::Disorder, 1, case);
        }
    }

    /// Begins a checkpoint: those that were acknowledged since the last one, and have to be held.
    pub(crate) fn begin_checkpoint(&self) -> Due {
        let mut ledger = self.ledger.lock().expect("no panic");
        Due { numbers: std::mem::take(&mut ledger.fresh), at_risk: std::mem::take(&mut ledger.at_risk) }
    }

    /// Whether what followed a position that was taken then may be lost.
    pub(crate) fn may_be_lost(&self, since: Instant) -> bool {
        self.kind == Kind::Shallow || self.ledger.lock().expect("no panic").lost_until.is_some_and(|until| since < until)
    }

    /// The history holds these. Answers which of `due` ought to be there and were not seen by any checkpoint.
    pub(crate) fn holds(&self, held: &[u32], due: &Due, tally: &Tally) -> Vec<u32> {
        let mut ledger = self.ledger.lock().expect("no panic");
        for number in held {
            ledger.held.insert(*number);
            if matches!(ledger.records.get(*number as usize), Some(Record { answer: Answer::Refused, .. })) {
                tally.wrong(Count::Other, 1, || format!("{}: number {number} was surely not stored, and is held", self.name));
            }
        }
        if due.at_risk || self.kind == Kind::Shallow {
            return Vec::new();
        }
        due.numbers.iter().copied().filter(|number| !ledger.held.contains(*number)).collect()
    }

    /// How long ago it was acknowledged.
    pub(crate) fn age(&self, number: u32) -> Option<Duration> {
        match self.ledger.lock().expect("no panic").records.get(number as usize)?.answer {
            Answer::Stored(at, _) => Some(at.elapsed()),
            Answer::None | Answer::Refused => None,
        }
    }
}
