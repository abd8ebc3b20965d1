//! The circuit breaker: stops deliveries while the gateway fails repeatedly. Sans-I/O.

use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Attempts are allowed. The number counts consecutive failures.
    Closed(u32),
    /// No attempts until this time.
    Open(Instant),
    /// The pause is over. One attempt tests the gateway.
    HalfOpen,
}

/// A circuit breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    failures: u32,
    pause: Duration,
}

impl Breaker {
    /// Opens after this number of consecutive failures, for `pause`.
    pub(super) fn new(failures: u32, pause: Duration) -> Self {
        Self { state: State::Closed(0), failures, pause }
    }

    /// How many of `wanted` attempts may start now, while `in_flight` attempts are running.
    pub(super) fn allowed_attempts(&mut self, now: Instant, wanted: usize, in_flight: usize) -> usize {
        if matches!(self.state, State::Open(until) if now >= until) {
            self.state = State::HalfOpen;
        }
        match self.state {
            State::Closed(_) => wanted,
            State::Open(_) => 0,
            State::HalfOpen => wanted.min(1_usize.saturating_sub(in_flight)),
        }
    }

    /// When the pause ends; `None` if attempts are allowed.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        if let State::Open(until) = self.state { Some(until) } else { None }
    }

    /// Whether attempts are stopped, or limited to one.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    /// The gateway answered, even if with a refusal.
    pub(super) fn answered(&mut self) {
        self.state = State::Closed(0);
    }

    /// The gateway did not answer, or could not serve.
    pub(super) fn failed(&mut self, now: Instant) {
        self.state = match self.state {
            State::Closed(failures) if failures + 1 < self.failures => State::Closed(failures + 1),
            State::Open(until) => State::Open(until),
            State::Closed(_) | State::HalfOpen => State::Open(now + self.pause),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_breaker_opens_half_opens_and_closes() {
        let (mut breaker, start, pause) = (Breaker::new(2, Duration::from_secs(1)), Instant::now(), Duration::from_secs(1));
        breaker.failed(start);
        assert_eq!(breaker.allowed_attempts(start, 5, 0), 5);
        breaker.answered();
        breaker.failed(start);
        assert_eq!(breaker.allowed_attempts(start, 5, 0), 5, "only consecutive failures count");
        breaker.failed(start);
        assert_eq!((breaker.allowed_attempts(start, 5, 0), breaker.retry_at()), (0, Some(start + pause)));
        assert_eq!(breaker.allowed_attempts(start + pause, 5, 1), 0, "one attempt is still running");
        assert_eq!(breaker.allowed_attempts(start + pause, 5, 0), 1);
        breaker.failed(start + pause);
        assert_eq!(breaker.retry_at(), Some(start + pause * 2));
        assert_eq!(breaker.allowed_attempts(start + pause * 2, 5, 0), 1);
        breaker.answered();
        assert_eq!(breaker.allowed_attempts(start + pause * 2, 5, 0), 5);
        assert!(!breaker.is_open());
    }
}
