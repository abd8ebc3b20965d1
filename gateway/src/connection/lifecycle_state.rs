//! How far services know a connection.

use gateway_core::model::{ChannelName, Tick};

/// Whether services may hear of a connection.
pub(super) enum Known {
    /// It has no user yet.
    No,
    /// Not yet; these channels it has joined meanwhile.
    Soon(Vec<ChannelName>),
    /// They have heard that it came.
    Yes,
    /// They have to hear it again.
    Again(Box<Again>),
}

/// What has to be told again.
pub(super) struct Again {
    pub(super) since: Tick,
    /// Whether they have heard that it came.
    pub(super) is_told: bool,
    /// Channels of which they have not heard.
    pub(super) joined: Vec<ChannelName>,
}
