//! Keeps calls away from an instance that does not answer. Sans-I/O.

use gateway_core::model::Tick;
use std::time::Duration;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Consecutive timeouts and lost links that open it, at least 1.
    pub failures: u32,
    /// Time without calls, after which one call tries.
    pub open_for: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(5) }
    }
}

/// What a breaker lets through, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// One call, whose end decides.
    HalfOpen,
}

impl BreakerState {
    /// Its name in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Tick },
    Probing,
}

/// Whether a call is the one that decides about a half-open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ordinary,
    Probe,
}

/// The breaker of one instance.
#[derive(Debug)]
pub(super) struct Breaker {
    limits: BreakerLimits,
    state: State,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self { limits, state: State::Closed { failures: 0 } }
    }

    pub(super) fn admits(&self, now: Tick) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::Probing => false,
        }
    }

    /// A call goes out; only where [`Self::admits`] says so.
    pub(super) fn begin(&mut self) -> Role {
        match self.state {
            State::Closed { .. } => Role::Ordinary,
            State::Open { .. } | State::Probing => {
                self.state = State::Probing;
                Role::Probe
            }
        }
    }

    /// The instance answered, be it with an error of its own.
    pub(super) fn answered(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call timed out, or the link broke under calls.
    pub(super) fn failed(&mut self, now: Tick) {
        let failures = match self.state {
            State::Closed { failures } => failures + 1,
            State::Open { .. } => return,
            State::Probing => self.limits.failures,
        };
        self.state = if failures >= self.limits.failures {
            State::Open { until: now.after(self.limits.open_for) }
        } else {
            State::Closed { failures }
        };
    }

    /// The caller went away before anything was known.
    pub(super) fn abandoned(&mut self, role: Role, now: Tick) {
        if role == Role::Probe && matches!(self.state, State::Probing) {
            self.state = State::Open { until: now };
        }
    }

    /// Whether it holds no memory of failures.
    pub(super) fn is_pristine(&self) -> bool {
        matches!(self.state, State::Closed { failures: 0 })
    }

    pub(super) fn state(&self, now: Tick) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::Probing => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BreakerLimits = BreakerLimits { failures: 3, open_for: Duration::from_secs(5) };

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(LIMITS);
        for _ in 0..3 {
            assert!(breaker.admits(Tick(0)));
            assert_eq!(breaker.begin(), Role::Ordinary);
            breaker.failed(Tick(100));
        }
        breaker
    }

    #[test]
    fn only_consecutive_failures_open_it() {
        let mut breaker = Breaker::new(LIMITS);
        for _ in 0..10 {
            breaker.failed(Tick(0));
            breaker.failed(Tick(0));
            breaker.answered();
        }
        assert_eq!(breaker.state(Tick(0)), BreakerState::Closed);
        assert_eq!(opened().state(Tick(100)), BreakerState::Open);
    }

    #[test]
    fn after_its_time_one_probe_decides() {
        for answers in [true, false] {
            let mut breaker = opened();
            assert!(!breaker.admits(Tick(5099)));
            assert!(breaker.admits(Tick(5100)));
            assert_eq!(breaker.begin(), Role::Probe);
            assert!(!breaker.admits(Tick(5100)), "a second call has to wait for the probe");
            if answers {
                breaker.answered();
                assert_eq!(breaker.state(Tick(5200)), BreakerState::Closed);
            } else {
                breaker.failed(Tick(5200));
                assert!(!breaker.admits(Tick(10_199)));
                assert!(breaker.admits(Tick(10_200)));
            }
        }
    }

    #[test]
    fn an_abandoned_probe_makes_room_for_the_next() {
        let mut breaker = opened();
        let role = breaker.begin();
        breaker.abandoned(Role::Ordinary, Tick(6000));
        assert!(!breaker.admits(Tick(6000)), "an ordinary call says nothing of the probe");
        breaker.abandoned(role, Tick(6000));
        assert!(breaker.admits(Tick(6000)));
    }

    #[test]
    fn late_failures_of_older_calls_do_not_prolong_it() {
        let mut breaker = opened();
        breaker.failed(Tick(4000));
        assert!(breaker.admits(Tick(5100)));
    }
}
