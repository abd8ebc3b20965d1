//! What the settings say of each channel.

use crate::model::{ChannelName, Retention};
use std::{collections::HashMap, sync::Arc};

/// Who may do something in a channel. A service may always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Grant {
    /// No frontend.
    #[default]
    Nobody,
    /// Who has a subscription token for the channel.
    Token,
    /// Who is subscribed.
    Subscriber,
    /// Who is not anonymous.
    Authenticated,
    /// Everyone.
    Anyone,
}

/// What happens to a subscriber that reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SlowConsumer {
    /// Closed with 3008; it reconnects and recovers.
    #[default]
    Disconnect,
    /// Keeps only the newest publication per channel.
    Latest,
}

/// Options that the channels of a namespace share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelOptions {
    /// What is stored; none: at most once.
    pub retention: Option<Retention>,
    /// Whether it is known who is there.
    pub presence: bool,
    /// Whether joins and leaves are told.
    pub join_leave: bool,
    /// Who may subscribe.
    pub subscribe: Grant,
    /// Who may publish.
    pub publish: Grant,
    /// Who may see presence.
    pub see_presence: Grant,
    /// Who may read history.
    pub see_history: Grant,
    /// See [`SlowConsumer`].
    pub slow_consumer: SlowConsumer,
}

/// All namespaces of the settings.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    /// Channels without a namespace.
    pub defaults: Arc<ChannelOptions>,
    /// Personal channels.
    pub personal: Arc<ChannelOptions>,
    /// By name.
    pub named: HashMap<Box<str>, Arc<ChannelOptions>>,
}

impl Namespaces {
    /// The options of a channel; none if its namespace is not configured.
    pub fn options(&self, channel: &ChannelName) -> Option<&Arc<ChannelOptions>> {
        match (channel.owner(), channel.namespace()) {
            (Some(_), _) => Some(&self.personal),
            (None, None) => Some(&self.defaults),
            (None, Some(namespace)) => self.named.get(namespace),
        }
    }
}
