//! Why the store refused something. The cause names servers, keys and scripts: it goes into the log and never to the caller.
//!
//! While a store is away every request has the same cause. So the log gets one at a time, with the number of those that it left out.

use gateway_core::model::lock;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(10);

static LOGGED: Mutex<Logged> = Mutex::new(Logged { last: None, left_out: 0 });

/// When a cause was logged last, and how many were left out since.
struct Logged {
    last: Option<Instant>,
    left_out: u64,
}

impl Logged {
    /// Whether one may be written now, and then how many were left out before it.
    fn may_log(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Writes the cause to the log.
pub(super) fn log(cause: &str) {
    if let Some(left_out) = lock(&LOGGED).may_log(Instant::now()) {
        tracing::warn!(cause, left_out, "the broker could not do what was asked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_is_written_in_a_while_and_the_others_are_counted() {
        let (mut said, start) = (Logged { last: None, left_out: 0 }, Instant::now());
        assert_eq!(said.may_log(start), Some(0));
        assert_eq!((said.may_log(start), said.may_log(start + PAUSE / 2)), (None, None));
        assert_eq!(said.may_log(start + PAUSE), Some(2));
        assert_eq!((said.may_log(start + PAUSE), said.may_log(start + 2 * PAUSE)), (None, Some(1)));
    }
}
