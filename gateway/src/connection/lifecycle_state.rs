//! How far services know a connection.

use gateway_core::model::{ChannelName, Tick};

/// Whether services may hear of a connection.
pub(super) enum LifecycleState {
    /// It has no user yet.
    No,
    /// Not yet; these channels it has joined meanwhile.
    Soon(Vec<ChannelName>),
    /// They have heard that it came.
    Yes,
    /// They have to hear it again.
    PendingReports(Box<PendingReports>),
}

/// What has to be told again.
pub(super) struct PendingReports {
    pub(super) since: Tick,
    /// Whether they have heard that it came.
    pub(super) connected_reported: bool,
    /// Channels of which they have not heard.
    pub(super) joined: Vec<ChannelName>,
}
