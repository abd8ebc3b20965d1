//! Growing, jittered pauses between attempts.

use std::time::Duration;

/// Pauses that double up to a bound and are spread at random, so that many clients do not return at once.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from about `first` to at most `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The pause before the next attempt: between half of the current step and all of it.
    pub fn next_pause(&mut self) -> Duration {
        let step = self.step();
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// The pause after `failures` attempts in a row have failed, for callers that keep the count elsewhere.
    pub fn pause_after(self, failures: u32) -> Duration {
        Self { failures: failures.saturating_sub(1), ..self }.next_pause()
    }

    /// An attempt succeeded: the next pause is short again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    fn step(&self) -> Duration {
        let doubled = 1u32.checked_shl(self.failures.min(31)).unwrap_or(u32::MAX);
        self.first.checked_mul(doubled).map_or(self.longest, |step| step.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_stay_bounded_and_shrink_again() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, longest);
        assert!(backoff.next_pause() <= first);
        for _ in 0..100 {
            assert!(backoff.next_pause() <= longest);
        }
        assert!(backoff.next_pause() >= longest / 2);
        backoff.reset();
        assert!(backoff.next_pause() <= first);
        assert!(backoff.pause_after(0) <= first);
        assert!(backoff.pause_after(u32::MAX) >= longest / 2);
    }
}
