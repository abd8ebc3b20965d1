//! What is wrong with a connection through a proxy.

use std::time::Duration;

/// Connections that something happens to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// None of them.
    #[default]
    None,
    /// Those on which somebody subscribed to Redis.
    Subscribers,
    /// All others.
    Commands,
    /// All of them.
    All,
}

impl Connections {
    pub(super) fn has(self, subscriber: bool) -> bool {
        match self {
            Self::None => false,
            Self::Subscribers => subscriber,
            Self::Commands => !subscriber,
            Self::All => true,
        }
    }
}

/// What is wrong; by default nothing is.
#[derive(Clone, Debug, Default)]
pub struct Impairment {
    /// Nothing of these passes. They stay open.
    pub silent: Connections,
    /// A pause before each chunk.
    pub delay: Duration,
    /// Bytes a second; none: as fast as it can.
    pub rate: Option<u32>,
    /// Messages of a channel whose name holds this are left out, and all else passes.
    pub lost_channel: Option<String>,
}

impl Impairment {
    /// How long a chunk of so many bytes takes.
    pub(super) fn pause(&self, bytes: usize) -> Duration {
        self.delay + self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes as f64 / f64::from(rate)))
    }
}
