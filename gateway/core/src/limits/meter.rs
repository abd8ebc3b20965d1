//! How much of a rate one peer has used: the generic cell rate algorithm (ITU-T I.371, annex A), whose whole state is one moment.

use super::Rate;
use crate::model::Tick;
use std::time::Duration;

const NANOS_PER_TICK: u64 = 1_000_000;

/// How much of a rate one peer has used. Every call has to use the same rate, and clocks with the same start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// When all that was used fits into the rate, in nanoseconds of the worker's clock. In the past: nothing counts any more.
    even_at: u64,
}

/// Where a peer stands after it has used something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It keeps to its rate and burst.
    Within,
    /// It has exceeded them.
    Excess,
    /// It has exceeded them by another burst, so it does not slow down.
    Continued,
}

impl Meter {
    /// Adds what the peer uses, whether it exceeds the rate or not. What exceeds two bursts is forgotten: after that time without use, the peer has
    /// its whole burst again.
    pub fn charge(&mut self, rate: Rate, now: Tick, cost: u64) -> Level {
        let now = nanos(now);
        let used = self.used(now).saturating_add(rate.time_for(cost));
        self.even_at = now.saturating_add(used.min(rate.burst_time().saturating_mul(2)));
        level(rate, used)
    }

    /// Adds what the peer uses, unless it would exceed the rate. Then returns after which time it may try again.
    pub fn admit(&mut self, rate: Rate, now: Tick, cost: u64) -> Result<(), Duration> {
        let now = nanos(now);
        let used = self.used(now).saturating_add(rate.time_for(cost));
        if used > rate.burst_time() {
            return Err(Duration::from_nanos(used - rate.burst_time()));
        }
        self.even_at = now.saturating_add(used);
        Ok(())
    }

    /// Adds what was used already, up to the burst: what follows is refused, and this alone is never [`Level::Excess`].
    pub fn settle(&mut self, rate: Rate, now: Tick, cost: u64) {
        let now = nanos(now);
        let used = self.used(now);
        let filled = used.saturating_add(rate.time_for(cost)).min(rate.burst_time());
        self.even_at = now.saturating_add(filled.max(used));
    }

    /// Where the peer stands.
    pub fn level(self, rate: Rate, now: Tick) -> Level {
        level(rate, self.used(nanos(now)))
    }

    /// When nothing counts any more.
    pub(super) fn even_at(self) -> u64 {
        self.even_at
    }

    fn used(self, now: u64) -> u64 {
        self.even_at.saturating_sub(now)
    }
}

fn level(rate: Rate, used: u64) -> Level {
    if used <= rate.burst_time() {
        Level::Within
    } else if used <= rate.burst_time().saturating_mul(2) {
        Level::Excess
    } else {
        Level::Continued
    }
}

pub(super) fn nanos(now: Tick) -> u64 {
    now.0.saturating_mul(NANOS_PER_TICK)
}
