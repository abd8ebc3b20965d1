//! Exponential backoff with jitter.

use std::time::Duration;

/// Pauses between attempts. They double up to a limit, and have a random part so that many clients do not retry at the same time.
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

    /// The pause before the next attempt: a random time between half of the current step and the whole step.
    pub fn next_pause(&mut self) -> Duration {
        let step = self.step();
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// The pause after `failures` consecutive failed attempts, for callers that keep the count themselves.
    pub fn pause_after(self, failures: u32) -> Duration {
        Self { failures: failures.saturating_sub(1), ..self }.next_pause()
    }

    /// Resets the next pause to the first one, after an attempt that succeeded.
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
    fn pauses_grow_up_to_the_limit_and_reset() {
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
