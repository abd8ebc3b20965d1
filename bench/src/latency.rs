//! Histograms of latencies, in microseconds.

use crate::result::Result;
use hdrhistogram::Histogram;

/// Longer latencies count as this one: one minute.
const LONGEST_US: u64 = 60_000_000;

/// An empty histogram with a resolution of three significant digits.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LONGEST_US, 3)?)
}
