//! The deadlines of all connections of a worker in one timing wheel, instead of one timer for each.

use gateway_core::model::Tick;

/// Length of a bucket, in milliseconds. It is the precision of every deadline.
pub(crate) const BUCKET_MS: u64 = 1000;
/// Number of buckets. A later deadline goes into the last bucket, which wakes its connection too early.
const BUCKETS: usize = 128;

/// A timing wheel. A wake-up is only a hint: the connection checks which of its deadlines have passed.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    buckets: Vec<Vec<K>>,
    /// The next bucket to be due, counted from time 0.
    next: u64,
}

impl<K> Wheel<K> {
    /// Creates a wheel that starts at `now`.
    pub(crate) fn new(now: Tick) -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Vec::new()).collect(), next: now.0 / BUCKET_MS }
    }

    /// Adds a deadline. `key` is due at `at` or up to one bucket later; a deadline beyond the last bucket is due too early, once.
    pub(crate) fn insert(&mut self, at: Tick, key: K) {
        let bucket = at.0.div_ceil(BUCKET_MS).clamp(self.next, self.next + BUCKETS as u64 - 1);
        self.buckets[(bucket % BUCKETS as u64) as usize].push(key);
    }

    /// Removes all keys that are due at `now`, and calls `wake` with each.
    pub(crate) fn due(&mut self, now: Tick, mut wake: impl FnMut(K)) {
        while self.next <= now.0 / BUCKET_MS {
            for key in std::mem::take(&mut self.buckets[(self.next % BUCKETS as u64) as usize]) {
                wake(key);
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel<&'static str>, now: u64) -> Vec<&'static str> {
        let mut woken = Vec::new();
        wheel.due(Tick(now), |key| woken.push(key));
        woken
    }

    #[test]
    fn a_deadline_is_due_within_one_slot_after_it() {
        let mut wheel = Wheel::new(Tick(500));
        wheel.insert(Tick(1500), "a");
        wheel.insert(Tick(2000), "b");
        assert_eq!(due(&mut wheel, 1500), [""; 0]);
        assert_eq!(due(&mut wheel, 2000), ["a", "b"]);
        assert_eq!(due(&mut wheel, 9000), [""; 0]);
    }

    #[test]
    fn a_past_deadline_is_due_at_once_and_a_far_one_early() {
        let mut wheel = Wheel::new(Tick(10_000));
        wheel.insert(Tick(3), "past");
        wheel.insert(Tick(10_000_000), "far");
        assert_eq!(due(&mut wheel, 10_000), ["past"]);
        assert_eq!(due(&mut wheel, 10_000 + BUCKET_MS * BUCKETS as u64), ["far"]);
    }

    #[test]
    fn each_deadline_is_due_once_after_a_long_pause() {
        let mut wheel = Wheel::new(Tick(0));
        wheel.insert(Tick(1000), "a");
        wheel.insert(Tick(100_000), "b");
        assert_eq!(due(&mut wheel, 3_600_000), ["a", "b"]);
    }
}
