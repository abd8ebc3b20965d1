//! Timeouts of connections, and pauses between attempts.

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// Timeouts of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// Longest time to open a connection.
    pub(crate) connect: Duration,
    /// Longest time from sending a command to its answer.
    pub(crate) response: Duration,
}

/// Endless pauses between attempts, from 50 ms to half a second, with random jitter: a revocation takes effect within a second after Redis is back.
pub(crate) fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::new().with_min_delay(Duration::from_millis(50)).with_max_delay(Duration::from_millis(250));
    pauses.without_max_times().with_jitter().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_never_end() {
        let all: Vec<_> = pauses().take(1000).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|pause| *pause <= Duration::from_millis(500)));
    }
}
