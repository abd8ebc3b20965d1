//! The settings that all sessions share.

use crate::{
    channel::{ChannelOptions, Namespaces},
    limits::{TrafficRates, UserRates},
    model::{ChannelName, Refusal},
};
use std::{sync::Arc, time::Duration};

/// The settings of all sessions of a node.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The options of all channels.
    pub namespaces: Namespaces,
    /// Name of this node, as clients see it.
    pub node: Arc<str>,
    /// A client has to send the connect command within this time. After a refused connect it has to close the connection within this time.
    pub connect_timeout: Duration,
    /// Longest time for a connect with all its attaches, which run concurrently.
    pub attach_timeout: Duration,
    /// Time between two pings, at least a second.
    pub ping_interval: Duration,
    /// Time between two pings on a stream, which has no pongs, at least a second.
    pub stream_ping_interval: Duration,
    /// Time for the reply to a ping.
    pub pong_timeout: Duration,
    /// Time between the expiry of a token and the end of what it allowed. A refresh may arrive within it.
    pub expiry_grace: Duration,
    /// A frontend with this many subscriptions cannot subscribe to another channel. The same limit applies to the channels of a token, and to the
    /// subscriptions that services made. Each kind is counted alone.
    pub max_subscriptions: usize,
    /// Largest number of operations in flight, at least 1. At this number the connection is not read. The commands of the last message that
    /// was read may wait, as many as this number and [`Self::max_subscriptions`] together. So a client may subscribe to all its channels in
    /// one message.
    pub max_in_flight: usize,
    /// Largest number of publications in a reply to a history command.
    pub history_limit: usize,
    /// What a connection may send in a time.
    pub rates: TrafficRates,
    /// What all connections of a user may send together. None: without a limit.
    pub user_rates: Option<Arc<UserRates>>,
}

impl SessionConfig {
    /// The options of a channel, or why there is no such channel.
    pub(crate) fn options(&self, channel: &ChannelName) -> Result<&Arc<ChannelOptions>, Refusal> {
        Ok(self.namespaces.checked(channel)?)
    }

    /// Commands that may wait or be in flight. The next one is refused.
    pub(crate) fn max_waiting(&self) -> usize {
        self.max_in_flight.saturating_add(self.max_subscriptions)
    }
}
