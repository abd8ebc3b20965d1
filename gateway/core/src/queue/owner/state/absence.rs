//! While nobody takes deliveries, the owner does not offer them all the time.

use crate::model::Tick;
use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses while no delivery is written. They grow.
#[derive(Debug, Default)]
pub(in crate::queue::owner) struct Absence {
    until: Option<Tick>,
    pause: Duration,
}

impl Absence {
    /// A delivery was not written.
    pub(in crate::queue::owner) fn not_sent(&mut self, now: Tick) {
        if self.is_over(now) {
            self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
            self.until = Some(now.after(self.pause));
        }
    }

    /// A delivery was written.
    pub(in crate::queue::owner) fn sent(&mut self) {
        *self = Self::default();
    }

    pub(in crate::queue::owner) fn is_over(&self, now: Tick) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    pub(in crate::queue::owner) fn until(&self) -> Option<Tick> {
        self.until
    }

    pub(in crate::queue::owner) fn tick(&mut self, now: Tick) {
        if self.is_over(now) {
            self.until = None;
        }
    }
}
