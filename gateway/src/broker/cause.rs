//! Why the store refused something: for the log, and never for who asked. It names servers, keys and scripts.
//!
//! While a store is away every request has the same cause, so one is written in a while, with the number of those that were left out.

use super::{BrokerError, lock};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(10);

static SAID: Mutex<Said> = Mutex::new(Said { last: None, left_out: 0 });

/// When a cause was written last, and how many were not since.
struct Said {
    last: Option<Instant>,
    left_out: u64,
}

impl Said {
    /// Whether one may be written now, and then how many were left out before it.
    fn may_say(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Writes the cause down, where the error has one that is not told.
pub(super) fn log(error: &BrokerError) {
    let BrokerError::Unavailable(cause) = error else { return };
    if let Some(left_out) = lock(&SAID).may_say(Instant::now()) {
        tracing::warn!(cause, left_out, "the broker could not do what was asked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_is_written_in_a_while_and_the_others_are_counted() {
        let (mut said, start) = (Said { last: None, left_out: 0 }, Instant::now());
        assert_eq!(said.may_say(start), Some(0));
        assert_eq!((said.may_say(start), said.may_say(start + PAUSE / 2)), (None, None));
        assert_eq!(said.may_say(start + PAUSE), Some(2));
        assert_eq!((said.may_say(start + PAUSE), said.may_say(start + 2 * PAUSE)), (None, Some(1)));
    }
}
