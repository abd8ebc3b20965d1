//! Deadlines of all connections of a worker, without a timer for each.

use gateway_core::model::Tick;

/// Length of a slot, and so the precision of every deadline, in milliseconds.
pub(crate) const SLOT_MS: u64 = 1000;
/// Later deadlines wait in the last slot and are looked at again.
const SLOTS: usize = 128;

/// A timing wheel whose entries are only hints: who is woken looks itself whether something is due.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    slots: Vec<Vec<K>>,
    /// The slot that is due next, as a number of slots since the start.
    next: u64,
}

impl<K> Wheel<K> {
    /// A wheel that starts now.
    pub(crate) fn new(now: Tick) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), next: now.0 / SLOT_MS }
    }

    /// Wakes `key` at `at`, not before and about a slot later at most; far deadlines are woken too early, once.
    pub(crate) fn insert(&mut self, at: Tick, key: K) {
        let slot = at.0.div_ceil(SLOT_MS).clamp(self.next, self.next + SLOTS as u64 - 1);
        self.slots[(slot % SLOTS as u64) as usize].push(key);
    }

    /// Takes out what is due by now.
    pub(crate) fn due(&mut self, now: Tick, mut wake: impl FnMut(K)) {
        while self.next <= now.0 / SLOT_MS {
            for key in std::mem::take(&mut self.slots[(self.next % SLOTS as u64) as usize]) {
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
    fn wakes_after_the_deadline_and_within_a_slot() {
        let mut wheel = Wheel::new(Tick(500));
        wheel.insert(Tick(1500), "a");
        wheel.insert(Tick(2000), "b");
        assert_eq!(due(&mut wheel, 1500), [""; 0]);
        assert_eq!(due(&mut wheel, 2000), ["a", "b"]);
        assert_eq!(due(&mut wheel, 9000), [""; 0]);
    }

    #[test]
    fn what_is_past_wakes_at_once_and_what_is_far_wakes_early() {
        let mut wheel = Wheel::new(Tick(10_000));
        wheel.insert(Tick(3), "past");
        wheel.insert(Tick(10_000_000), "far");
        assert_eq!(due(&mut wheel, 10_000), ["past"]);
        assert_eq!(due(&mut wheel, 10_000 + SLOT_MS * SLOTS as u64), ["far"]);
    }

    #[test]
    fn a_long_stop_wakes_everything_once() {
        let mut wheel = Wheel::new(Tick(0));
        wheel.insert(Tick(1000), "a");
        wheel.insert(Tick(100_000), "b");
        assert_eq!(due(&mut wheel, 3_600_000), ["a", "b"]);
    }
}
