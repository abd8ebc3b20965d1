//! Records every publication of each channel and its outcome. Each publication has a number that is unique in its channel.

use crate::{
    number_set::NumberSet,
    tally::{Count, Tally},
};
use gateway_core::{channel::Unrecoverable, model::Position};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// A publication in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldPublication {
    pub(crate) offset: u64,
    pub(crate) number: u32,
}

/// The length of a channel's history and the number of its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The history keeps all publications. Many subscribers.
    LongHistory,
    /// The history keeps all publications. Few subscribers, so that some nodes have none.
    Sparse,
    /// The history is so short that a subscriber which is away for a few seconds loses publications.
    ShortHistory,
}

/// For this time after a fault of the store, subscribers may still receive publications that the store has lost.
const GRACE: Duration = Duration::from_secs(10);

/// An entry of ingest is published within this time, unless the owner of its partition changes again and again.
const ENTRY_LIFE: Duration = Duration::from_mins(1);

/// One channel.
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What a subscriber gets after a loss.
    pub(crate) unrecoverable: Unrecoverable,
    /// The partitions of ingest by which services publish into it.
    pub(crate) partitions: Vec<u16>,
    ledger: Mutex<Ledger>,
}

/// Marks channels of which the store may lose acknowledged publications, until this is dropped.
pub(crate) struct AtRisk {
    channels: Vec<Arc<Channel>>,
    /// Those of which it may lose entries of ingest.
    fed: Vec<Arc<Channel>>,
}

impl AtRisk {
    /// Marks the channels with these hash tags, and those of which entries of ingest may be lost.
    pub(crate) fn begin(all: &[Arc<Channel>], has: impl Fn(&str) -> bool, loses_entries: impl Fn(&Channel) -> bool) -> Self {
        let channels: Vec<_> = all.iter().filter(|channel| has(&channel.name)).cloned().collect();
        let fed: Vec<_> = all.iter().filter(|channel| !channel.partitions.is_empty() && loses_entries(channel)).cloned().collect();
        let long = Instant::now() + Duration::from_hours(1);
        for channel in &channels {
            let mut ledger = channel.ledger.lock().expect("no panic");
            ledger.lost_until = Some(long);
            ledger.at_risk = true;
            ledger.repeats.push((Instant::now(), long));
        }
        for channel in &fed {
            let mut ledger = channel.ledger.lock().expect("no panic");
            ledger.entries_lost_until = Some(long);
        }
        Self { channels, fed }
    }
}

impl Drop for AtRisk {
    fn drop(&mut self) {
        let until = Instant::now() + GRACE;
        for channel in &self.channels {
            let mut ledger = channel.ledger.lock().expect("no panic");
            ledger.lost_until = Some(until);
            if let Some((_, end)) = ledger.repeats.last_mut() {
                *end = until;
            }
        }
        for channel in &self.fed {
            channel.ledger.lock().expect("no panic").entries_lost_until = Some(until);
        }
    }
}

/// The publications that the history must contain.
pub(crate) struct Expected {
    /// Publications that were acknowledged since the last checkpoint.
    numbers: Vec<u32>,
    /// Whether the store may have lost some of them.
    at_risk: bool,
}

#[derive(Default)]
struct Ledger {
    records: Vec<Record>,
    /// The publication at each position.
    by_position: HashMap<Position, u32>,
    /// Publications that were acknowledged since the last checkpoint.
    acknowledged: Vec<u32>,
    /// Publications that a checkpoint found in the history.
    in_history: NumberSet,
    /// Whether the store may have lost publications since the last checkpoint.
    at_risk: bool,
    /// The store may have lost positions that a subscriber reached before this time.
    lost_until: Option<Instant>,
    /// The store may have lost entries of ingest that it acknowledged before this time.
    entries_lost_until: Option<Instant>,
    /// When the store may have lost publications. What ingest published a little earlier, it may publish again.
    repeats: Vec<(Instant, Instant)>,
}

impl Ledger {
    /// Whether positions that a subscriber reached at `since` may be lost.
    fn may_be_lost(&self, since: Instant) -> bool {
        self.lost_until.is_some_and(|until| since < until)
    }

    /// Whether ingest may publish this twice: the store may have lost the first publication, or the end of its entry.
    fn may_come_again(&self, record: &Record) -> bool {
        record.uncertain
            || record.entry.is_some_and(|(_, at)| self.repeats.iter().any(|(begin, end)| at + ENTRY_LIFE > *begin && at < *end))
    }

    /// Whether the store may have lost this entry of ingest.
    fn may_lose_entry(&self, record: &Record) -> bool {
        let at = if let Answer::Stored(at, _) = record.answer { Some(at) } else { None };
        record.entry.is_some() && at.is_some_and(|at| self.entries_lost_until.is_some_and(|until| at < until))
    }

    /// Whether the store may lose acknowledged publications now.
    fn is_at_risk(&self) -> bool {
        self.may_be_lost(Instant::now())
    }
}

#[derive(Default)]
struct Record {
    is_skipped: bool,
    answer: Answer,
    /// Whether an attempt to publish it had no answer. Then the store may have stored it, lost it, and stored it again.
    uncertain: bool,
    /// With ingest: its partition, and when it was first appended.
    entry: Option<(u16, Instant)>,
}

#[derive(Default)]
enum Answer {
    #[default]
    None,
    Stored(Instant, Option<Position>),
    /// It is certain that it was not stored.
    Refused,
}

impl Channel {
    pub(crate) fn new(name: String, kind: Kind, unrecoverable: Unrecoverable) -> Self {
        Self { name, kind, unrecoverable, partitions: Vec::new(), ledger: Mutex::default() }
    }

    /// The same channel, fed by these partitions of ingest.
    pub(crate) fn fed_by(self, partitions: Vec<u16>) -> Self {
        Self { partitions, ..self }
    }

    /// Assigns the number of the next publication by this partition of ingest.
    pub(crate) fn next_of(&self, partition: u16) -> u32 {
        let mut ledger = self.ledger.lock().expect("no panic");
        ledger.records.push(Record { entry: Some((partition, Instant::now())), ..Record::default() });
        ledger.records.len() as u32 - 1
    }

    /// Number of entries of ingest that were found in the history, and of accepted ones that the store lost.
    pub(crate) fn of_ingest(&self) -> (u64, u64) {
        let ledger = self.ledger.lock().expect("no panic");
        let of_ingest = ledger.records.iter().zip(0..).filter(|(record, _)| record.entry.is_some());
        of_ingest.fold((0, 0), |(found, lost), (record, number)| {
            let is_found = ledger.in_history.contains(number);
            (found + u64::from(is_found), lost + u64::from(!is_found && ledger.may_lose_entry(record)))
        })
    }

    /// Assigns the number of the next publication. `is_skipped`: clients with a filter do not want it.
    pub(crate) fn next(&self, is_skipped: bool) -> u32 {
        let mut ledger = self.ledger.lock().expect("no panic");
        ledger.records.push(Record { is_skipped, ..Record::default() });
        ledger.records.len() as u32 - 1
    }

    /// Whether clients with a filter do not want the publication.
    pub(crate) fn is_skipped(&self, number: u32) -> bool {
        self.ledger.lock().expect("no panic").records.get(number as usize).is_some_and(|record| record.is_skipped)
    }

    /// An attempt to publish had no answer.
    pub(crate) fn uncertain(&self, number: u32) {
        self.ledger.lock().expect("no panic").records[number as usize].uncertain = true;
    }

    /// The gateway answered that the publication is not stored.
    pub(crate) fn refused(&self, number: u32) {
        self.ledger.lock().expect("no panic").records[number as usize].answer = Answer::Refused;
    }

    /// The gateway answered that the publication is stored.
    pub(crate) fn stored(&self, number: u32, position: Option<Position>, tally: &Tally) {
        tally.add(Count::Acknowledged, 1);
        let mut ledger = self.ledger.lock().expect("no panic");
        ledger.records[number as usize].answer = Answer::Stored(Instant::now(), position);
        ledger.acknowledged.push(number);
        if let Some(position) = position {
            self.check_position(&mut ledger, number, position, "was acknowledged", tally);
        }
    }

    /// A subscriber received the publication at this position. `first`: for the first time. Returns whether it may arrive a second time.
    pub(crate) fn delivered(&self, number: u32, position: Position, first: bool, tally: &Tally) -> bool {
        let mut ledger = self.ledger.lock().expect("no panic");
        let is_at_risk = ledger.is_at_risk();
        let Some(record) = ledger.records.get(number as usize) else {
            tally.violation(Count::Other, 1, || format!("{} {position:?}: number {number} was never published", self.name));
            return false;
        };
        let uncertain = ledger.may_come_again(record);
        match &record.answer {
            Answer::None => {}
            Answer::Refused => {
                tally.violation(Count::Other, 1, || format!("{} {position:?}: number {number} was refused, but arrived", self.name));
            }
            Answer::Stored(at, place) => {
                if first {
                    tally.record_delay(at.elapsed());
                }
                // A gateway sends a publish again, to the next master, if the old one does not answer. The old one may execute it after a
                // pause of its process, on a timeline that is lost then.
                let is_elsewhere = |place: Position| (uncertain || is_at_risk) && place.epoch != position.epoch;
                let is_expected = place.is_none_or(|place| place.offset == position.offset || is_elsewhere(place));
                if !is_expected {
                    let case = || format!("{} {position:?}: number {number} was acknowledged at {place:?}", self.name);
                    tally.violation(Count::Disorder, 1, case);
                }
            }
        }
        self.check_position(&mut ledger, number, position, "arrived", tally);
        uncertain
    }

    fn check_position(&self, ledger: &mut Ledger, number: u32, position: Position, how: &str, tally: &Tally) {
        let earlier = *ledger.by_position.entry(position).or_insert(number);
        if earlier != number {
            let case = || format!("{} {position:?}: number {number} {how} at the position of number {earlier}", self.name);
            tally.violation(Count::Disorder, 1, case);
        }
    }

    /// Begins a checkpoint. Returns the publications that were acknowledged since the last one.
    pub(crate) fn begin_checkpoint(&self) -> Expected {
        let mut ledger = self.ledger.lock().expect("no panic");
        Expected { numbers: std::mem::take(&mut ledger.acknowledged), at_risk: std::mem::take(&mut ledger.at_risk) }
    }

    /// Whether publications after a position that was reached at `since` may be lost.
    pub(crate) fn may_be_lost(&self, since: Instant) -> bool {
        self.kind == Kind::ShortHistory || self.ledger.lock().expect("no panic").may_be_lost(since)
    }

    /// Records the content of the history. Returns the numbers of `expected` that no checkpoint has found in it.
    pub(crate) fn check_history(&self, found: &[HeldPublication], expected: &Expected, tally: &Tally) -> Vec<u32> {
        let mut ledger = self.ledger.lock().expect("no panic");
        for HeldPublication { number, .. } in found {
            ledger.in_history.insert(*number);
            if matches!(ledger.records.get(*number as usize), Some(Record { answer: Answer::Refused, .. })) {
                tally.violation(Count::Other, 1, || format!("{}: number {number} was refused, but is in the history", self.name));
            }
        }
        if self.kind == Kind::ShortHistory {
            return Vec::new();
        }
        self.check_entries(&ledger, found, tally);
        let must_be_there = |number: u32| {
            let record = &ledger.records[number as usize];
            if record.entry.is_some() { !ledger.may_lose_entry(record) } else { !expected.at_risk }
        };
        expected.numbers.iter().copied().filter(|number| !ledger.in_history.contains(*number) && must_be_there(*number)).collect()
    }

    /// Checks that the publications of each partition of ingest are in order.
    fn check_entries(&self, ledger: &Ledger, found: &[HeldPublication], tally: &Tally) {
        let mut numbers = HashMap::new();
        for HeldPublication { offset, number } in found {
            let Some(record) = ledger.records.get(*number as usize).filter(|record| !ledger.may_come_again(record)) else { continue };
            let Some((partition, _)) = record.entry else { continue };
            let before = numbers.insert(partition, *number);
            if let Some(before) = before.filter(|before| before >= number) {
                tally.violation(Count::Disorder, 1, || format!("{} {offset}: number {number} of ingest came after {before}", self.name));
            }
        }
    }

    /// The time since the publication was acknowledged.
    pub(crate) fn age(&self, number: u32) -> Option<Duration> {
        match self.ledger.lock().expect("no panic").records.get(number as usize)?.answer {
            Answer::Stored(at, _) => Some(at.elapsed()),
            Answer::None | Answer::Refused => None,
        }
    }
}
