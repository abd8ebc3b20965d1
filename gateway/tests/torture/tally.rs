//! Counters of a run, and descriptions of the first violations.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Maximum number of violations that are described.
const MAX_CASES: usize = 20;

/// A counter of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Publications that were acknowledged to their publisher.
    Acknowledged,
    /// Deliveries to subscribers.
    Deliveries,
    /// Losses that were reported to subscribers, counted once per subscriber.
    ReportedLosses,
    /// Repeated deliveries that are allowed: the store lost the publication, or a loss was reported.
    Redelivered,
    /// Missing publications whose loss was not reported to the subscriber.
    UnreportedLosses,
    /// Repeated deliveries that are not allowed.
    Duplicates,
    /// Publications at the position of another one, or before an earlier one.
    Disorder,
    /// All other violations.
    Other,
}

const COUNTS: usize = 8;

impl Count {
    /// The counters that must stay 0.
    const VIOLATIONS: [Self; 4] = [Self::UnreportedLosses, Self::Duplicates, Self::Disorder, Self::Other];
}

/// The counters of a run.
pub(crate) struct Tally {
    start: Instant,
    counts: [AtomicU64; COUNTS],
    delay_ms: AtomicU64,
    cases: Mutex<Cases>,
}

/// Descriptions of the first violations.
#[derive(Default)]
struct Cases {
    all: Vec<String>,
    /// How many of them were taken.
    taken: usize,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), counts: Default::default(), delay_ms: AtomicU64::new(0), cases: Mutex::default() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn add(&self, count: Count, number: u64) {
        self.counts[count as usize].fetch_add(number, Relaxed);
    }

    pub(crate) fn record_delay(&self, time: Duration) {
        self.delay_ms.fetch_max(time.as_millis() as u64, Relaxed);
    }

    /// Counts and describes a violation.
    pub(crate) fn violation(&self, count: Count, number: u64, case: impl FnOnce() -> String) {
        self.add(count, number);
        let mut cases = self.cases.lock().expect("no panic");
        if cases.all.len() < MAX_CASES {
            cases.all.push(format!("{:8.3} s  {count:?}: {}", self.elapsed().as_secs_f64(), case()));
        }
    }

    /// Returns the counts since the last call.
    pub(crate) fn take(&self) -> Row {
        let counts = std::array::from_fn(|at| self.counts[at].swap(0, Relaxed));
        Row { times: 1, counts, delay: Duration::from_millis(self.delay_ms.swap(0, Relaxed)) }
    }

    /// Returns the descriptions that were not returned yet.
    pub(crate) fn take_cases(&self) -> Vec<String> {
        let mut cases = self.cases.lock().expect("no panic");
        let (from, to) = (cases.taken, cases.all.len());
        cases.taken = to;
        cases.all[from..].to_vec()
    }
}

/// The counts of all rounds with one kind of fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) times: u64,
    counts: [u64; COUNTS],
    delay: Duration,
}

impl Row {
    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.delay = self.delay.max(other.delay);
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
    }

    pub(crate) fn has_violations(&self) -> bool {
        Count::VIOLATIONS.into_iter().any(|count| self.get(count) > 0)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |count| self.get(count);
        write!(
            f,
            "{:>5} {:>9} {:>10} {:>6} {:>6}",
            self.times,
            get(Count::Acknowledged),
            get(Count::Deliveries),
            get(Count::ReportedLosses),
            get(Count::Redelivered)
        )?;
        write!(
            f,
            " {:>7} {:>7} {:>8} {:>6}",
            get(Count::UnreportedLosses),
            get(Count::Duplicates),
            get(Count::Disorder),
            get(Count::Other)
        )?;
        write!(f, " {:>8.1} s", self.delay.as_secs_f64())
    }
}

/// The head of a table of rows.
pub(crate) fn head() -> String {
    let columns = "times acknowl. deliveries reprtd  again unreprt doubled disorder  other  longest delay";
    format!("{:<16} {columns}", "fault")
}
