//! How long something took, in microseconds.

use crate::Result;
use hdrhistogram::Histogram;

/// The longest time that is told apart.
const LONGEST: u64 = 60_000_000;

/// For times up to a minute, to three digits.
pub(crate) fn times() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LONGEST, 3)?)
}
