//! The settings of an owner.

use rand::{Rng, RngExt as _};
use std::time::Duration;

/// The limits that an owner keeps.
#[derive(Clone, Copy, Debug)]
pub struct OwnerLimits {
    /// Number of tries, at least 1. Then an entry becomes a dead letter.
    pub tries: u32,
    /// The pause before the second try. Each further pause is twice as long, with some jitter.
    pub retry_min: Duration,
    /// The longest pause between tries, also if the consumer asks for a longer one.
    pub retry_max: Duration,
    /// The time in which a delivery has to be acknowledged after it was written.
    pub visibility: Duration,
    /// Number of entries with content, at least 1.
    pub window: usize,
    /// Bytes of their content. A single entry may be larger.
    pub window_bytes: usize,
    /// Number of entries that are known by their id only, besides those of [`Self::window`].
    pub blocked_ids: usize,
    /// Bytes of one entry. Larger ones become dead letters.
    pub entry_bytes: usize,
}

impl OwnerLimits {
    /// Number of entries of one key with content. So one key does not use the whole window.
    pub(super) fn of_one_key(&self) -> usize {
        (self.window / 8).max(1)
    }

    /// Number of entries that have to fit in before anything is read. So the owner reads many at once.
    pub(super) fn least_read(&self) -> usize {
        (self.window / 4).clamp(1, READ)
    }

    /// The pause that the consumer asks for.
    pub(super) fn asked_for(&self, retry_after: Option<Duration>) -> Duration {
        retry_after.unwrap_or_default().min(self.retry_max)
    }

    /// The pause after this number of tries.
    pub(super) fn pause(&self, tries: u32, rng: &mut impl Rng) -> Duration {
        let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.retry_min.saturating_mul(doubled).min(self.retry_max);
        let shortest = (longest / 2).max(self.retry_min.min(longest));
        shortest + longest.saturating_sub(shortest).mul_f64(rng.random())
    }
}

/// Number of entries in one read.
pub(super) const READ: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    #[test]
    fn pauses_grow_within_their_bounds() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(300));
        let limits = OwnerLimits {
            tries: 10,
            retry_min: min,
            retry_max: max,
            visibility: max,
            window: 1,
            window_bytes: 1,
            blocked_ids: 0,
            entry_bytes: 1,
        };
        let mut rng = StdRng::seed_from_u64(1);
        let mut last = Duration::ZERO;
        for tries in [1, 2, 3, 5, 9, 31, 32, 33, 1000] {
            let pauses = (0..100).map(|_| limits.pause(tries, &mut rng));
            let (shortest, longest) = pauses.fold((max, min), |(shortest, longest), pause| (shortest.min(pause), longest.max(pause)));
            assert!(min <= shortest && longest <= max && last <= longest, "{tries}: {shortest:?} to {longest:?}");
            assert!(tries == 1 || shortest < longest, "{tries} has no jitter");
            last = shortest;
        }
        assert!(last >= max / 2);
        let fixed = OwnerLimits { retry_max: min, ..limits };
        assert_eq!(fixed.pause(7, &mut rng), min);
    }
}
