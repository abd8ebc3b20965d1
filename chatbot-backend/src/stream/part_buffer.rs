//! Collects words into parts. Sans-I/O.

use std::time::Duration;
use tokio::time::Instant;

/// The text of the next part, and the time at which it is due.
#[derive(Debug)]
pub(super) struct PartBuffer {
    text: String,
    last_part: Instant,
    interval: Duration,
    seq: u64,
}

impl PartBuffer {
    /// Part 0 is sent at `now`. Two parts are at least `interval` apart.
    pub(super) fn new(now: Instant, interval: Duration) -> Self {
        Self { text: String::new(), last_part: now, interval, seq: 0 }
    }

    pub(super) fn add(&mut self, word: &str) {
        self.text.push_str(word);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// When the next part is due: `interval` after the last one if there is text, `heartbeat` after it if there is none.
    pub(super) fn due(&self, heartbeat: Duration) -> Instant {
        self.last_part + if self.text.is_empty() { heartbeat } else { self.interval }
    }

    /// Sequence number and text of the next part.
    pub(super) fn take(&mut self, now: Instant) -> (u64, String) {
        self.seq += 1;
        self.last_part = now;
        (self.seq, std::mem::take(&mut self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn parts_keep_their_interval_and_a_heartbeat_is_sent_without_text() {
        let (start, interval, heartbeat) = (Instant::now(), Duration::from_millis(80), Duration::from_secs(1));
        let mut buffer = PartBuffer::new(start, interval);
        assert_eq!(buffer.due(heartbeat), start + heartbeat);
        buffer.add("a ");
        buffer.add("b ");
        assert_eq!(buffer.due(heartbeat), start + interval);
        assert_eq!(buffer.take(start + interval), (1, "a b ".into()));
        assert_eq!(buffer.due(heartbeat), start + interval + heartbeat);
        assert_eq!(buffer.take(start + heartbeat), (2, String::new()));
    }
}
