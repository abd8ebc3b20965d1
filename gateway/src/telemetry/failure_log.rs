//! Log lines of failures that repeat.

/// Logs only the first of consecutive failures, so that an outage costs one line and not one per attempt.
#[derive(Debug, Default)]
pub struct FailureLog {
    has_failed: bool,
}

impl FailureLog {
    /// Records a failed attempt. Calls `log` unless the attempt before it failed too.
    pub fn failed(&mut self, log: impl FnOnce()) {
        if !std::mem::replace(&mut self.has_failed, true) {
            log();
        }
    }

    /// Records a successful attempt. The next failure is logged.
    pub fn succeeded(&mut self) {
        self.has_failed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_consecutive_failures_is_logged() {
        let (mut log, mut lines) = (FailureLog::default(), Vec::new());
        for (attempt, succeeds) in [false, false, true, false, false].into_iter().enumerate() {
            if succeeds {
                log.succeeded();
            } else {
                log.failed(|| lines.push(attempt));
            }
        }
        assert_eq!(lines, [0, 3]);
    }
}
