//! The kinds of floods.

use clap::ValueEnum;

/// How an attacker tries to take memory or time from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Flood {
    /// Subscribers of a busy channel that never read, and publish 120 KiB into a channel of their own
    SlowReaders,
    /// Messages of 62 KiB without their end
    HalfMessages,
    /// Requests whose head has 100 KiB and no end
    HalfHeads,
    /// Connects with tokens that another key has signed (ES256)
    WrongTokens,
    /// WebSockets that are opened and closed at once
    Upgrades,
    /// Pings and publications as fast as the gateway reads them
    Commands,
    /// Questions about the presence of a channel with a hundred subscribers, just below the limit
    Presence,
    /// Joins and leaves of a channel with a hundred subscribers, just below the limit
    Joins,
}

impl Flood {
    /// The name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether each connection is held until the gateway closes it. Such a flood has thousands of connections, others have a hundred at a time.
    pub(super) const fn holds(self) -> bool {
        matches!(self, Self::SlowReaders | Self::HalfMessages | Self::HalfHeads)
    }
}
