//! Subscriptions that were lost, and that the session could not begin again for the time being.

use crate::model::{ChannelName, Tick};
use std::time::Duration;

/// The pause before the second attempt.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The next attempt.
#[derive(Debug)]
struct Retry {
    channel: ChannelName,
    at: Tick,
    /// The pause after the attempt.
    pause: Duration,
}

/// The subscriptions that wait for another attempt. Mostly there are none, and then this holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Retries(Vec<Retry>);

impl Retries {
    /// An attempt failed. The next one comes after this pause, and twice the pause after that.
    pub(crate) fn add(&mut self, channel: ChannelName, now: Tick, pause: Duration) {
        self.0.push(Retry { channel, at: now.after(pause), pause: (pause * 2).min(MAX_PAUSE) });
    }

    /// The client does not want the channel any more, or begins it again.
    pub(crate) fn remove(&mut self, channel: &str) {
        self.0.retain(|it| it.channel.as_str() != channel);
        self.0.shrink_to_fit();
    }

    /// Removes a channel whose time has come. Returns it with the pause after the attempt.
    pub(crate) fn due(&mut self, now: Tick) -> Option<(ChannelName, Duration)> {
        let at = self.0.iter().position(|it| it.at <= now)?;
        let Retry { channel, pause, .. } = self.0.swap_remove(at);
        self.0.shrink_to_fit();
        Some((channel, pause))
    }

    /// When [`Self::due`] has something.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        self.0.iter().map(|it| it.at).min()
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Retry>()
    }
}
