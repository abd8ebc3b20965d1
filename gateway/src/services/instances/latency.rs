//! How long the calls of the last minute took. Takes the time as an argument.

use gateway_core::model::Tick;
use std::time::Duration;

/// The minute is divided into periods. A new period takes the place of the oldest one.
const PERIODS: usize = 6;
const PERIOD_MS: u64 = 10_000;

/// The first bucket has all calls of less than 64 µs.
const FIRST_EXPONENT: u32 = 6;
/// Each power of two is divided into eight buckets.
const PARTS_BITS: u32 = 3;
const PARTS: usize = 1 << PARTS_BITS;
/// The last bucket has all calls of more than 2^30 µs, about 18 minutes.
const BUCKETS: usize = (30 - FIRST_EXPONENT) as usize * PARTS + 1;

/// The calls of the last 50 to 60 seconds, counted by their duration. About 4.6 KiB.
pub(crate) struct Latencies(Box<[Period; PERIODS]>);

struct Period {
    /// Its place among all periods since the start.
    number: u64,
    counts: [u32; BUCKETS],
}

/// The durations of the calls of the last 50 to 60 seconds, for operators. They are rounded up by at most an eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySummary {
    /// Number of calls; not 0.
    pub calls: u64,
    /// Half of the calls took at most this long.
    pub p50: Duration,
    /// 99 of 100 calls took at most this long.
    pub p99: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self(Box::new(std::array::from_fn(|_| Period { number: 0, counts: [0; BUCKETS] })))
    }
}

impl Latencies {
    /// Counts a call that ended now.
    pub(crate) fn record(&mut self, took: Duration, now: Tick) {
        let number = now.0 / PERIOD_MS;
        let period = &mut self.0[number as usize % PERIODS];
        if period.number != number {
            *period = Period { number, counts: [0; BUCKETS] };
        }
        let count = &mut period.counts[bucket(took)];
        *count = count.saturating_add(1);
    }

    /// None if no call ended in the last minute.
    pub(crate) fn summary(&self, now: Tick) -> Option<LatencySummary> {
        let number = now.0 / PERIOD_MS;
        let mut counts = [0; BUCKETS];
        for period in self.0.iter().filter(|period| period.number <= number && period.number + PERIODS as u64 > number) {
            counts.iter_mut().zip(&period.counts).for_each(|(sum, count)| *sum += u64::from(*count));
        }
        let calls = counts.iter().sum();
        (calls > 0).then(|| LatencySummary {
            calls,
            p50: quantile(&counts, calls.div_ceil(2)),
            p99: quantile(&counts, calls - calls / 100),
        })
    }
}

/// The duration that `rank` calls did not exceed.
fn quantile(counts: &[u64; BUCKETS], rank: u64) -> Duration {
    let mut seen = 0;
    let reached = counts.iter().position(|count| {
        seen += count;
        seen >= rank
    });
    end_of(reached.unwrap_or(BUCKETS - 1))
}

fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let Some(exponent) = micros.checked_ilog2().filter(|exponent| *exponent >= FIRST_EXPONENT) else { return 0 };
    let part = (micros >> (exponent - PARTS_BITS)) as usize % PARTS;
    ((exponent - FIRST_EXPONENT) as usize * PARTS + part + 1).min(BUCKETS - 1)
}

/// The duration that no call in this bucket reaches, but for the last bucket.
fn end_of(bucket: usize) -> Duration {
    let Some(index) = bucket.checked_sub(1) else { return Duration::from_micros(1 << FIRST_EXPONENT) };
    let exponent = FIRST_EXPONENT as usize + index / PARTS;
    Duration::from_micros(((PARTS + index % PARTS + 1) as u64) << (exponent - PARTS_BITS as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_up_by_at_most_an_eighth() {
        for micros in (0..2000).chain((1..27).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
            let end = end_of(bucket(Duration::from_micros(micros))).as_micros() as u64;
            assert!(end > micros && (end <= micros + micros / 8 + 1 || end == 64), "{micros}: {end}");
        }
        let longest = [1 << 30, 1 << 31, u64::MAX].map(|micros| bucket(Duration::from_micros(micros)));
        assert_eq!((longest, bucket(Duration::MAX)), ([BUCKETS - 1; 3], BUCKETS - 1));
        let ends: Vec<_> = (0..BUCKETS).map(end_of).collect();
        assert!(ends.is_sorted());
    }

    #[test]
    fn quantiles_count_the_calls_of_the_last_minute() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.summary(Tick(0)), None);
        let (fast, slow) = (Duration::from_millis(1), Duration::from_secs(1));
        (0..99).for_each(|n| latencies.record(fast, Tick(n * 100)));
        latencies.record(slow, Tick(9999));
        let is = |duration: Duration, about: Duration| duration > about && duration <= about * 9 / 8;
        let all = latencies.summary(Tick(9999)).expect("calls");
        assert!(all.calls == 100 && is(all.p50, fast) && is(all.p99, fast), "{all:?}");
        latencies.record(slow, Tick(10_000));
        let all = latencies.summary(Tick(10_000)).expect("calls");
        assert!(all.calls == 101 && is(all.p50, fast) && is(all.p99, slow), "two of 101: {all:?}");
        let last = latencies.summary(Tick(60_000)).expect("that of the second period");
        assert!(last.calls == 1 && is(last.p50, slow), "{last:?}");
        assert_eq!(latencies.summary(Tick(70_000)), None);
        latencies.record(fast, Tick(70_000));
        assert_eq!(latencies.summary(Tick(70_000)).map(|last| last.calls), Some(1), "what was in its place is gone");
    }
}
