//! The limit of signature checks. Anybody may send logout tokens, and each check costs processor time.

use gateway_core::model::lock;
use std::{sync::Mutex, time::Duration};

/// A token bucket: it allows a number of checks in a second, and as many at once after a second without any.
#[derive(Debug)]
pub(in super::super) struct CheckLimit {
    per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Checks that are allowed now.
    left: f64,
    /// When that was counted, as time since 1970.
    at: Duration,
}

impl CheckLimit {
    /// `per_second`: at least 1.
    pub(in super::super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, state: Mutex::new(State { left: per_second, at: Duration::ZERO }) }
    }

    /// Whether another check is allowed at `now` (time since 1970). It counts if it is. A clock that was set back allows nothing more until then.
    pub(in super::super) fn take(&self, now: Duration) -> bool {
        let mut state = lock(&self.state);
        let passed = now.saturating_sub(state.at).as_secs_f64();
        state.left = (state.left + passed * self.per_second).min(self.per_second);
        state.at = state.at.max(now);
        let is_allowed = state.left >= 1.0;
        if is_allowed {
            state.left -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_limited_in_each_second() {
        let limit = CheckLimit::new(4);
        let taken = |at: u64| (0..10).filter(|_| limit.take(Duration::from_millis(at))).count();
        assert_eq!([1_000_000, 1_000_000, 1_000_250, 1_000_249, 1_000_750, 1_009_000].map(taken), [4, 0, 1, 0, 2, 4]);
        assert_eq!(taken(5_000), 0, "the clock was set back");
        assert_eq!(taken(1_009_500), 2);
    }
}
