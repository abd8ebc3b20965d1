//! Circuit breaker: sends no calls to an instance that does not answer. Sans-I/O.

use gateway_core::model::{ErrorCode, Refusal, Tick};
use std::time::Duration;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Number of consecutive timeouts and lost links that open it, at least 1.
    pub failures: u32,
    /// Time without calls; then one call tests the instance.
    pub open_for: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(5) }
    }
}

/// State of a breaker, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All calls pass.
    Closed,
    /// No call passes.
    Open,
    /// One call passes; its result decides.
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

/// Whether a call tests the instance of a half-open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Ordinary,
    Probe,
}

/// The breaker of one instance.
#[derive(Debug)]
pub(crate) struct Breaker {
    limits: BreakerLimits,
    state: State,
}

impl Breaker {
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Self { limits, state: State::Closed { failures: 0 } }
    }

    pub(crate) fn admits(&self, now: Tick) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::Probing => false,
        }
    }

    /// Registers a call that is sent. Call it only if [`Self::admits`] returns true.
    pub(crate) fn begin(&mut self) -> Role {
        match self.state {
            State::Closed { .. } => Role::Ordinary,
            State::Open { .. } | State::Probing => {
                self.state = State::Probing;
                Role::Probe
            }
        }
    }

    /// The instance answered, perhaps with an error.
    pub(crate) fn answered(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call timed out, or the link broke under calls.
    pub(crate) fn failed(&mut self, now: Tick) {
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

    /// The call ended without a result of the instance, for example because the caller left.
    pub(crate) fn abandoned(&mut self, role: Role, now: Tick) {
        if role == Role::Probe && matches!(self.state, State::Probing) {
            self.state = State::Open { until: now };
        }
    }

    /// Whether no failure is counted.
    pub(crate) fn has_no_failures(&self) -> bool {
        matches!(self.state, State::Closed { failures: 0 })
    }

    /// How long it lets no call pass. None if it is closed, or if that depends on a probe.
    pub(crate) fn pause(&self, now: Tick) -> Option<Duration> {
        match self.state {
            State::Open { until } => Some(until.since(now)),
            State::Closed { .. } | State::Probing => None,
        }
    }

    pub(crate) fn state(&self, now: Tick) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::Probing => BreakerState::HalfOpen,
        }
    }
}

/// The refusal of a call that none of these breakers lets pass. `detail` says why.
pub(crate) fn unavailable<'a>(detail: String, breakers: impl Iterator<Item = &'a Breaker>, now: Tick) -> Refusal {
    let refusal = |detail| Refusal::new(ErrorCode::ServiceUnavailable, detail);
    match breakers.filter_map(|breaker| breaker.pause(now)).min() {
        Some(pause) => refusal(detail).try_again_in(pause),
        None => refusal(format!("{detail} Try again shortly.")),
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
            assert_eq!(breaker.pause(Tick(5099)), Some(Duration::from_millis(1)));
            assert!(!breaker.admits(Tick(5099)));
            assert!(breaker.admits(Tick(5100)));
            assert_eq!(breaker.begin(), Role::Probe);
            assert!(!breaker.admits(Tick(5100)), "a second call waits for the probe");
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
    fn a_refusal_says_when_the_first_breaker_lets_a_call_pass() {
        let (open, mut probing) = (opened(), opened());
        let refusal = |breakers: &[&Breaker], now| unavailable("Broken.".into(), breakers.iter().copied(), now);
        assert_eq!(refusal(&[&open, &open], Tick(2600)).retry_after, Some(Duration::from_millis(2500)));
        assert_eq!(refusal(&[&open], Tick(2600)).detail, "Broken. Try again in 3 s.");
        probing.begin();
        let unknown = refusal(&[&probing], Tick(5100));
        assert_eq!((unknown.retry_after, &*unknown.detail), (None, "Broken. Try again shortly."));
    }

    #[test]
    fn an_abandoned_probe_makes_room_for_the_next() {
        let mut breaker = opened();
        let role = breaker.begin();
        breaker.abandoned(Role::Ordinary, Tick(6000));
        assert!(!breaker.admits(Tick(6000)), "the end of an ordinary call does not end the probe");
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
