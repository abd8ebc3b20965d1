//! Words gathered into parts.

use std::time::Duration;
use tokio::time::Instant;

/// Text that waits to be sent, and when it may be.
#[derive(Debug)]
pub(super) struct Gather {
    text: String,
    sent: Instant,
    apart: Duration,
    seq: u64,
}

impl Gather {
    /// Part 0 was sent now; the next ones are at least `apart`.
    pub(super) fn new(now: Instant, apart: Duration) -> Self {
        Self { text: String::new(), sent: now, apart, seq: 0 }
    }

    pub(super) fn add(&mut self, word: &str) {
        self.text.push_str(word);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// When the next part is to be sent: soon where there is text, else after `heartbeat`.
    pub(super) fn due(&self, heartbeat: Duration) -> Instant {
        self.sent + if self.text.is_empty() { heartbeat } else { self.apart }
    }

    /// The next part's number and text.
    pub(super) fn take(&mut self, now: Instant) -> (u64, String) {
        self.seq += 1;
        self.sent = now;
        (self.seq, std::mem::take(&mut self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn parts_are_apart_and_silence_is_broken_by_a_heartbeat() {
        let (start, apart, heartbeat) = (Instant::now(), Duration::from_millis(80), Duration::from_secs(1));
        let mut gather = Gather::new(start, apart);
        assert_eq!(gather.due(heartbeat), start + heartbeat);
        gather.add("a ");
        gather.add("b ");
        assert_eq!(gather.due(heartbeat), start + apart);
        assert_eq!(gather.take(start + apart), (1, "a b ".into()));
        assert_eq!(gather.due(heartbeat), start + apart + heartbeat);
        assert_eq!(gather.take(start + heartbeat), (2, String::new()));
    }
}
