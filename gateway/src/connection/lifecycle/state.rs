//! Which lifecycle events of a connection services have received.

use gateway_core::model::{ChannelName, Tick};

/// Which lifecycle events of a connection services have received.
pub(in crate::connection) enum LifecycleState {
    /// No events, because the connection has no user yet.
    NotConnected,
    /// No events, because the connection is not in the registry yet. Holds the channels that it has joined.
    AwaitingRegistration(Vec<ChannelName>),
    /// All events so far.
    Reported,
    /// Some events have to be reported once more.
    PendingReports(Box<PendingReports>),
}

/// Events that have to be reported once more.
pub(in crate::connection) struct PendingReports {
    pub(in crate::connection) since: Tick,
    /// Whether services have received `connected`.
    pub(in crate::connection) connected_reported: bool,
    /// Channels for which services have not received `subscribed`.
    pub(in crate::connection) joined: Vec<ChannelName>,
}
