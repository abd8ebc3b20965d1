//! The options that the settings give to channels.

use crate::model::{ChannelName, Retention, ServiceName};
use std::{collections::HashMap, sync::Arc};

/// Which frontends may do something in a channel. A service always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Grant {
    /// None.
    #[default]
    Nobody,
    /// Those that subscribed with a token for this channel, and those that the server subscribed.
    Token,
    /// Those that are subscribed.
    Subscriber,
    /// Those that have a user, that is, are not anonymous.
    Authenticated,
    /// All.
    Anyone,
}

/// What happens to a subscriber that reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SlowConsumer {
    /// It is disconnected with 3008. It reconnects and recovers.
    #[default]
    Disconnect,
    /// It gets only the newest publication of each channel.
    Latest,
}

/// What publications may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AllowedData {
    /// Only JSON.
    #[default]
    Json,
    /// JSON, text or bytes.
    Any,
}

/// Which deltas frontends may ask for: publications as changes of the ones before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeltaOption {
    /// None.
    #[default]
    None,
    /// Those in the format of Fossil.
    Fossil,
}

/// What a client receives after a recovery that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unrecoverable {
    /// What is published after the read. Nothing older arrives, so an application can load its state again.
    #[default]
    Live,
    /// First the missed publications that are still held.
    Replay,
}

/// What happens to a command if its guard is away: there is no instance, or no valid answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WhenAway {
    /// It is refused with a temporary error.
    #[default]
    Refuse,
    /// It is carried out.
    Allow,
}

/// A service that is asked before a command of a frontend is carried out. The grants are checked first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The service.
    pub service: ServiceName,
    /// What happens if it is away.
    pub when_away: WhenAway,
}

/// The options that all channels of a namespace share.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelOptions {
    /// What the history keeps; none: there is no history, and deliveries are at most once.
    pub retention: Option<Retention>,
    /// Whether the channel has presence.
    pub presence: bool,
    /// Whether subscribers receive joins and leaves.
    pub join_leave: bool,
    /// Who may subscribe.
    pub subscribe: Grant,
    /// Who may publish.
    pub publish: Grant,
    /// Who may read presence.
    pub see_presence: Grant,
    /// Who may read the history.
    pub see_history: Grant,
    /// What publications may carry.
    pub data: AllowedData,
    /// What happens to slow subscribers.
    pub slow_consumer: SlowConsumer,
    /// Which deltas frontends may ask for.
    pub delta: DeltaOption,
    /// Whether frontends may ask for publications by their tags.
    pub tags_filter: bool,
    /// What a client receives after a recovery that failed.
    pub unrecoverable: Unrecoverable,
    /// Who is asked before a frontend subscribes without a token; none: nobody.
    pub subscribe_via: Option<Guard>,
    /// Who is asked before a frontend publishes; none: nobody.
    pub publish_via: Option<Guard>,
    /// Whether services learn when channels become occupied and vacant, and learn of every end of a subscription.
    pub lifecycle: bool,
}

/// The options of all channels.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    /// For channels without a namespace.
    pub defaults: Arc<ChannelOptions>,
    /// For personal channels.
    pub personal: Arc<ChannelOptions>,
    /// The options of each namespace, by the namespace's name.
    pub named: HashMap<Box<str>, Arc<ChannelOptions>>,
}

impl Namespaces {
    /// The options of a channel. `None` if its namespace is not configured.
    pub fn options(&self, channel: &ChannelName) -> Option<&Arc<ChannelOptions>> {
        match (channel.owner(), channel.namespace()) {
            (Some(_), _) => Some(&self.personal),
            (None, None) => Some(&self.defaults),
            (None, Some(namespace)) => self.named.get(namespace),
        }
    }
}
