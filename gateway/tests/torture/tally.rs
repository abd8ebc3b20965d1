//! What was counted, and the first cases of what went wrong.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Cases that are printed as text.
const CASES: usize = 20;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Publications whose publisher was answered that they are stored.
    Acknowledged,
    /// Publications that came to a subscriber.
    Deliveries,
    /// Losses that were reported to subscribers, counted for each subscriber.
    ReportedLosses,
    /// What the store lost after it was delivered, or whose loss a subscriber learned of, and that came again.
    Again,
    /// Publications that a subscriber should have, and whose loss it did not learn of.
    Untold,
    /// Publications that came twice.
    Duplicates,
    /// Publications at a place where another one stood, or before an earlier one.
    Disorder,
    /// Whatever else breaks a promise.
    Other,
}

const COUNTS: usize = 8;

impl Count {
    /// None of these may happen.
    const WRONG: [Self; 4] = [Self::Untold, Self::Duplicates, Self::Disorder, Self::Other];
}

/// See the module.
pub(crate) struct Tally {
    start: Instant,
    counts: [AtomicU64; COUNTS],
    stall_ms: AtomicU64,
    cases: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), counts: Default::default(), stall_ms: AtomicU64::new(0), cases: Mutex::default() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn add(&self, count: Count, number: u64) {
        self.counts[count as usize].fetch_add(number, Relaxed);
    }

    pub(crate) fn stalled(&self, time: Duration) {
        self.stall_ms.fetch_max(time.as_millis() as u64, Relaxed);
    }

    /// Something that must not be.
    pub(crate) fn wrong(&self, count: Count, number: u64, case: impl FnOnce() -> String) {
        self.add(count, number);
        let mut cases = self.cases.lock().expect("no panic");
        if cases.len() < CASES {
            cases.push(format!("{:8.3} s  {count:?}: {}", self.elapsed().as_secs_f64(), case()));
        }
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> Row {
        let counts = std::array::from_fn(|at| self.counts[at].swap(0, Relaxed));
        Row { times: 1, counts, stall: Duration::from_millis(self.stall_ms.swap(0, Relaxed)) }
    }

    pub(crate) fn cases(&self) -> Vec<String> {
        self.cases.lock().expect("no panic").clone()
    }
}

/// What happened while one kind of fault was at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) times: u64,
    counts: [u64; COUNTS],
    stall: Duration,
}

impl Row {
    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.stall = self.stall.max(other.stall);
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
    }

    pub(crate) fn is_wrong(&self) -> bool {
        Count::WRONG.into_iter().any(|count| self.get(count) > 0)
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
            get(Count::Again)
        )?;
        write!(f, " {:>7} {:>7} {:>8} {:>6}", get(Count::Untold), get(Count::Duplicates), get(Count::Disorder), get(Count::Other))?;
        write!(f, " {:>8.1} s", self.stall.as_secs_f64())
    }
}

/// The head of a table of rows.
pub(crate) fn head() -> String {
    let columns = "times acknowl. deliveries reprtd  again missing doubled disorder  other  longest stall";
    format!("{:<16} {columns}", "fault")
}
