//! The clock of the store.

use crate::model::Tick;

/// What the clock of the store shows.
#[derive(Clone, Copy, Debug)]
pub(in crate::queue::owner) struct StoreClock {
    at: Tick,
    ms: u64,
}

impl StoreClock {
    /// It shows `ms` at `at`.
    pub(in crate::queue::owner) fn new(at: Tick, ms: u64) -> Self {
        Self { at, ms }
    }

    /// Whether this time is past. None never is.
    pub(in crate::queue::owner) fn is_past(&self, ms: Option<u64>, now: Tick) -> bool {
        ms.is_some_and(|ms| ms < self.ms.saturating_add(now.0.saturating_sub(self.at.0)))
    }

    /// The first moment at which this time is past.
    pub(in crate::queue::owner) fn tick_after(&self, ms: u64) -> Tick {
        Tick(self.at.0.saturating_add(ms.saturating_sub(self.ms)).saturating_add(1))
    }
}
