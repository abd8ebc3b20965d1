//! Time for code without a clock.

use std::time::Duration;

/// A moment on a worker's monotonic clock, in milliseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// A moment that does not come.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment that is `later` after this one, at most the last that the type can hold.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Time since `earlier`; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// What a worker's monotonic clock and the wall clock show at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    /// The monotonic clock.
    pub tick: Tick,
    /// The wall clock, in milliseconds since 1970.
    pub unix_ms: u64,
}

impl WallClock {
    /// The wall clock at a later moment, in milliseconds since 1970.
    pub fn unix_ms_at(self, now: Tick) -> u64 {
        self.unix_ms.saturating_add(now.0.saturating_sub(self.tick.0))
    }
}
