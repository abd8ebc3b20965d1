//! Logging of the causes of broker errors. A cause names servers, keys and scripts, so it goes into the log and never to a client.
//!
//! While a store is down, every request has the same cause. So the log gets one cause at a time, with the number of suppressed ones.

use gateway_core::model::lock;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Minimum time between two log lines.
const PAUSE: Duration = Duration::from_secs(10);

static LOGGED: Mutex<Logged> = Mutex::new(Logged { last: None, left_out: 0 });

/// When a cause was logged last, and the number of suppressed causes since then.
struct Logged {
    last: Option<Instant>,
    left_out: u64,
}

impl Logged {
    /// Whether a cause may be logged now. Returns the number of suppressed causes before it.
    fn may_log(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Logs the cause, unless another one was logged just before.
pub(super) fn log(cause: &str) {
    if let Some(left_out) = lock(&LOGGED).may_log(Instant::now()) {
        tracing::warn!(cause, left_out, "a request to the broker failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_per_interval_is_logged_and_the_others_are_counted() {
        let (mut said, start) = (Logged { last: None, left_out: 0 }, Instant::now());
        assert_eq!(said.may_log(start), Some(0));
        assert_eq!((said.may_log(start), said.may_log(start + PAUSE / 2)), (None, None));
        assert_eq!(said.may_log(start + PAUSE), Some(2));
        assert_eq!((said.may_log(start + PAUSE), said.may_log(start + 2 * PAUSE)), (None, Some(1)));
    }
}
