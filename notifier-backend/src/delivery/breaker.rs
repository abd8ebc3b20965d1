//! Leaves a gateway alone that fails again and again. Sans-I/O.

use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Failures in a row so far.
    Closed(u32),
    Open(Instant),
    /// The pause is over: one attempt shows whether the gateway is back.
    Probing,
}

/// A circuit breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    failures: u32,
    pause: Duration,
}

impl Breaker {
    /// Opens after `failures` in a row, for `pause`.
    pub(super) fn new(failures: u32, pause: Duration) -> Self {
        Self { state: State::Closed(0), failures, pause }
    }

    /// How many attempts may begin now, where `wanted` would like to and `under_way` have not ended.
    pub(super) fn allows(&mut self, now: Instant, wanted: usize, under_way: usize) -> usize {
        if matches!(self.state, State::Open(until) if now >= until) {
            self.state = State::Probing;
        }
        match self.state {
            State::Closed(_) => wanted,
            State::Open(_) => 0,
            State::Probing => wanted.min(1_usize.saturating_sub(under_way)),
        }
    }

    /// When it will be worth asking again; none while attempts may begin.
    pub(super) fn reopens(&self) -> Option<Instant> {
        if let State::Open(until) = self.state { Some(until) } else { None }
    }

    /// Whether attempts are held back.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    /// The gateway answered, be it with a refusal.
    pub(super) fn answered(&mut self) {
        self.state = State::Closed(0);
    }

    /// The gateway did not answer, or could not serve.
    pub(super) fn failed(&mut self, now: Instant) {
        self.state = match self.state {
            State::Closed(failures) if failures + 1 < self.failures => State::Closed(failures + 1),
            State::Open(until) => State::Open(until),
            State::Closed(_) | State::Probing => State::Open(now + self.pause),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_probes_and_closes() {
        let (mut breaker, start, pause) = (Breaker::new(2, Duration::from_secs(1)), Instant::now(), Duration::from_secs(1));
        breaker.failed(start);
        assert_eq!(breaker.allows(start, 5, 0), 5);
        breaker.answered();
        breaker.failed(start);
        assert_eq!(breaker.allows(start, 5, 0), 5, "only failures in a row count");
        breaker.failed(start);
        assert_eq!((breaker.allows(start, 5, 0), breaker.reopens()), (0, Some(start + pause)));
        assert_eq!(breaker.allows(start + pause, 5, 1), 0, "one attempt is under way still");
        assert_eq!(breaker.allows(start + pause, 5, 0), 1);
        breaker.failed(start + pause);
        assert_eq!(breaker.reopens(), Some(start + pause * 2));
        assert_eq!(breaker.allows(start + pause * 2, 5, 0), 1);
        breaker.answered();
        assert_eq!(breaker.allows(start + pause * 2, 5, 0), 5);
        assert!(!breaker.is_open());
    }
}
