//! The options that the settings give to channels.

use super::named_users::{InvalidUsers, check_users};
use crate::model::{ChannelName, ErrorCode, Refusal, Retention, ServiceName};
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
    /// Those whose user the channel's name names: `dialog:alice,bob`.
    Named,
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

/// Why there is no channel with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchChannel {
    /// Its namespace is not configured.
    #[error("has a namespace that is not configured")]
    UnknownNamespace,
    /// Its namespace needs names of users behind it, and they are not in the right form.
    #[error(transparent)]
    InvalidUsers(#[from] InvalidUsers),
}

impl From<NoSuchChannel> for Refusal {
    fn from(why: NoSuchChannel) -> Self {
        match why {
            NoSuchChannel::UnknownNamespace => ErrorCode::UnknownChannel.into(),
            NoSuchChannel::InvalidUsers(why) => Self::new(ErrorCode::BadRequest, format!("the channel's name {why}")),
        }
    }
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

impl ChannelOptions {
    /// Whether the names of the channels have to name users.
    fn needs_users(&self) -> bool {
        [self.subscribe, self.publish, self.see_presence, self.see_history].contains(&Grant::Named)
    }
}

impl Namespaces {
    /// The options of a channel whose name comes from outside, or why there is no such channel.
    pub fn checked(&self, channel: &ChannelName) -> Result<&Arc<ChannelOptions>, NoSuchChannel> {
        let options = self.options(channel).ok_or(NoSuchChannel::UnknownNamespace)?;
        if options.needs_users() {
            check_users(channel)?;
        }
        Ok(options)
    }

    /// The options of a channel. `None` if its namespace is not configured.
    pub fn options(&self, channel: &ChannelName) -> Option<&Arc<ChannelOptions>> {
        match (channel.owner(), channel.namespace()) {
            (Some(_), _) => Some(&self.personal),
            (None, None) => Some(&self.defaults),
            (None, Some(namespace)) => self.named.get(namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_for_named_users_needs_them_in_the_name() {
        let named = |grant: fn(&mut ChannelOptions)| {
            let mut options = ChannelOptions::default();
            grant(&mut options);
            Namespaces { named: HashMap::from([("dialog".into(), Arc::new(options))]), ..Namespaces::default() }
        };
        let checked = |namespaces: &Namespaces, name: &str| namespaces.checked(&name.parse().expect("a channel")).map(drop);
        let order = Err(NoSuchChannel::InvalidUsers(InvalidUsers::Order("dialog:alice,bob".into())));
        for grant in [
            |it: &mut ChannelOptions| it.subscribe = Grant::Named,
            |it: &mut ChannelOptions| it.publish = Grant::Named,
            |it: &mut ChannelOptions| it.see_presence = Grant::Named,
            |it: &mut ChannelOptions| it.see_history = Grant::Named,
        ] {
            let namespaces = named(grant);
            assert_eq!(checked(&namespaces, "dialog:alice,bob"), Ok(()));
            assert_eq!(checked(&namespaces, "dialog:bob,alice"), order);
            assert_eq!(checked(&namespaces, "bob,alice"), Ok(()), "another namespace");
        }
        let open = named(|it| it.subscribe = Grant::Anyone);
        assert_eq!(checked(&open, "dialog:bob,alice"), Ok(()));
        assert_eq!(checked(&open, "chat:a"), Err(NoSuchChannel::UnknownNamespace));
    }

    #[test]
    fn the_refusal_of_a_name_shows_the_right_one() {
        let refusal = Refusal::from(NoSuchChannel::InvalidUsers(InvalidUsers::Order("dialog:alice,bob".into())));
        assert!(refusal.code == ErrorCode::BadRequest && refusal.detail.ends_with("as in dialog:alice,bob"), "{refusal:?}");
        assert_eq!(Refusal::from(NoSuchChannel::UnknownNamespace).code, ErrorCode::UnknownChannel);
    }
}
