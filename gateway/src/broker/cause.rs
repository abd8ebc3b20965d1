//! Logging of the causes of broker errors. A cause names servers, keys and scripts, so it goes into the log and never to a client.
//!
//! While a store is down, every request fails with the same cause. So the log gets at most one cause in 10 seconds, with the number of
//! causes that were suppressed before it.

use gateway_core::model::lock;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Minimum time between two log lines.
const PAUSE: Duration = Duration::from_secs(10);

static LOGGED: Mutex<Logged> = Mutex::new(Logged { last: None, suppressed: 0 });

/// When a cause was logged last, and the number of suppressed causes since then.
struct Logged {
    last: Option<Instant>,
    suppressed: u64,
}

impl Logged {
    /// Returns the number of causes suppressed since the last log line. Returns None, and counts this cause as suppressed, if that line is
    /// too recent.
    fn may_log(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// Logs the cause, unless a cause was logged within the last 10 seconds.
pub(super) fn log(cause: &str) {
    if let Some(suppressed) = lock(&LOGGED).may_log(Instant::now()) {
        tracing::warn!(cause, suppressed, "a request to the broker failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_per_interval_is_logged_and_the_others_are_counted() {
        let (mut logged, start) = (Logged { last: None, suppressed: 0 }, Instant::now());
        assert_eq!(logged.may_log(start), Some(0));
        assert_eq!((logged.may_log(start), logged.may_log(start + PAUSE / 2)), (None, None));
        assert_eq!(logged.may_log(start + PAUSE), Some(2));
        assert_eq!((logged.may_log(start + PAUSE), logged.may_log(start + 2 * PAUSE)), (None, Some(1)));
    }
}
