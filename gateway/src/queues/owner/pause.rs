//! Pauses between repeats of a request that the store did not carry out.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that grow.
#[derive(Debug, Default)]
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(SHORTEST, LONGEST);
        self.0
    }
}
