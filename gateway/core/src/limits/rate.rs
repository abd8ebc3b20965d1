//! So much per second, and a burst.

use std::num::NonZeroU64;

const SECOND: u64 = 1_000_000_000;

/// The longest burst, in nanoseconds: a year.
const LONGEST: u64 = 365 * 86_400 * 1_000_000_000;

/// What a peer may use: a burst at once, and so much per second or minute in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    number: NonZeroU64,
    /// The time for this number, in nanoseconds.
    period: u64,
    /// How long the burst lasts at this rate, in nanoseconds.
    burst_time: u64,
}

impl Rate {
    /// So much per second, up to 2^30. `None` if one of the numbers is 0: there is no limit. A burst counts at most as much as the rate gives in a
    /// year.
    pub fn new(per_second: u64, burst: u64) -> Option<Self> {
        Self::with_period(per_second, SECOND, burst)
    }

    /// So much per minute. `None` if one of the numbers is 0: there is no limit.
    pub fn per_minute(number: u64, burst: u64) -> Option<Self> {
        Self::with_period(number, 60 * SECOND, burst)
    }

    fn with_period(number: u64, period: u64, burst: u64) -> Option<Self> {
        let rate = Self { number: NonZeroU64::new(number)?, period, burst_time: 0 };
        (burst > 0).then(|| Self { burst_time: rate.time_for(burst).min(LONGEST), ..rate })
    }

    /// How long the burst lasts at this rate, in nanoseconds.
    pub(super) fn burst_time(self) -> u64 {
        self.burst_time
    }

    /// In which time this much may be used, in nanoseconds, rounded up.
    pub(super) fn time_for(self, cost: u64) -> u64 {
        match cost.checked_mul(self.period) {
            Some(product) => product.div_ceil(self.number.get()),
            None => u64::try_from((u128::from(cost) * u128::from(self.period)).div_ceil(self.number.get().into())).unwrap_or(u64::MAX),
        }
    }
}
