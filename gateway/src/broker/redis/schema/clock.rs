//! Estimates the clock of a server.

use std::{
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// The offset between the server's wall clock and a monotonic clock of this process. Each new connection measures it again.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), ahead_ms: AtomicI64::new(0) }
    }

    /// Stores a measurement: the server's clock showed `server_ms` (milliseconds since 1970) at some moment between `asked` and now. The
    /// estimate assumes the moment `asked`. So a deadline on the server's clock may be too early by the time of the round trip, but never
    /// too late.
    pub(crate) fn set(&self, asked: Instant, server_ms: u64) {
        self.ahead_ms.store(server_ms.cast_signed() - self.since_start(asked), Relaxed);
    }

    /// What the server's clock shows at `time`, in milliseconds since 1970.
    pub(crate) fn at(&self, time: Instant) -> i64 {
        self.since_start(time) + self.ahead_ms.load(Relaxed)
    }

    fn since_start(&self, time: Instant) -> i64 {
        let (ahead, behind) = (time.saturating_duration_since(self.start), self.start.saturating_duration_since(time));
        millis(ahead) - millis(behind)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_follows_the_servers_clock() {
        let clock = Clock::new();
        tokio::time::advance(Duration::from_secs(10)).await;
        let asked = Instant::now();
        tokio::time::advance(Duration::from_millis(200)).await;
        clock.set(asked, 1_700_000_000_500);
        assert_eq!(clock.at(Instant::now()), 1_700_000_000_700);
        assert_eq!(clock.at(asked + Duration::from_secs(5)), 1_700_000_005_500);
    }
}
