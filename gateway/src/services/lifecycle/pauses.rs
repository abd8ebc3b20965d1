//! Pauses between attempts to send events.

use std::{ops::RangeInclusive, time::Duration};
use tokio::time::sleep;

/// Pauses that grow from the first one to the longest one until an attempt succeeds. Each is up to half shorter, so that nodes do not try together.
pub(in crate::services) struct Pauses {
    bounds: RangeInclusive<Duration>,
    next: Duration,
}

impl Pauses {
    /// The first pause and the longest one.
    pub(in crate::services) fn new(bounds: RangeInclusive<Duration>) -> Self {
        Self { next: *bounds.start(), bounds }
    }

    /// An attempt succeeded.
    pub(in crate::services) fn reset(&mut self) {
        self.next = *self.bounds.start();
    }

    /// Waits after an attempt that failed.
    pub(in crate::services) async fn pause(&mut self) {
        sleep(self.next.mul_f32(rand::random_range(0.5..1.0))).await;
        self.next = (2 * self.next).min(*self.bounds.end());
    }
}
