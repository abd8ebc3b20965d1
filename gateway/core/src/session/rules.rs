//! What is the same for all sessions.

use crate::{
    channel::{ChannelOptions, Namespaces},
    model::{ChannelName, ErrorCode, Refusal},
};
use std::{sync::Arc, time::Duration};

/// What is the same for all sessions of a node.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Namespaces and their options.
    pub namespaces: Namespaces,
    /// Name of this node, told to clients.
    pub node: Arc<str>,
    /// Time allowed until the connect command, and for the client to leave after one that was refused.
    pub connect_timeout: Duration,
    /// For the whole of a connect; its attaches go on side by side.
    pub attach_timeout: Duration,
    /// Between pings; at least a second.
    pub ping_interval: Duration,
    /// For the answer to a ping.
    pub pong_timeout: Duration,
    /// After a token's expiry, for the refresh to arrive.
    pub expiry_grace: Duration,
    /// Subscriptions at which a frontend is refused another. Those of its token may be as many, and so may those that services made, whatever
    /// else there is.
    pub max_subscriptions: usize,
    /// Operations in flight at most, at least 1; beyond it the connection is not read. What the message being read still holds waits, up to this number
    /// and [`Self::max_subscriptions`] together, so that a client may subscribe to all its channels in one message.
    pub max_in_flight: usize,
    /// Publications in a history reply at most.
    pub history_limit: usize,
}

impl Rules {
    /// The options of a channel, or the error that tells that its namespace is not configured.
    pub(super) fn options(&self, channel: &ChannelName) -> Result<&Arc<ChannelOptions>, Refusal> {
        self.namespaces.options(channel).ok_or_else(|| ErrorCode::UnknownChannel.into())
    }

    /// Commands that may wait or be in flight before more are refused.
    pub(super) fn max_waiting(&self) -> usize {
        self.max_in_flight.saturating_add(self.max_subscriptions)
    }
}
