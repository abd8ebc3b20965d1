//! Faults that a proxy simulates on its connections.

use std::time::Duration;

/// Which connections a fault concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    /// No connections.
    #[default]
    None,
    /// Connections on which a client has sent a subscribe command.
    Subscribers,
    /// All other connections.
    Commands,
    /// All connections.
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

/// The faults that a proxy simulates. By default there are none.
#[derive(Clone, Debug, Default)]
pub struct Impairment {
    /// The proxy forwards no data on these connections, but keeps them open.
    pub silent: Connections,
    /// Pause before each chunk of data.
    pub delay: Duration,
    /// Limit of bytes per second, in each direction of a connection. `None`: no limit.
    pub rate: Option<u32>,
    /// If set, pub/sub messages of channels whose name contains this text are dropped. Everything else passes.
    pub lost_channel: Option<String>,
}

impl Impairment {
    /// Pause before a chunk of this many bytes.
    pub(super) fn pause(&self, bytes: usize) -> Duration {
        self.delay + self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes as f64 / f64::from(rate)))
    }
}
