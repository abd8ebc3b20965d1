//! What a connection is subscribed to. Few entries, kept small: most connections are idle.

use crate::{
    channel::Standing,
    model::{ChannelName, Tick},
};

/// Why a subscription exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The frontend asked for it.
    Frontend,
    /// The frontend asked for it with a token.
    Token,
    /// The gateway made it, for as long as the connection lasts: the personal channel, or one that the connection's token names.
    Server,
    /// A service made it, and says when it ends.
    Service,
}

impl Origin {
    /// Whether the frontend asked for it.
    pub(super) fn is_frontend(self) -> bool {
        matches!(self, Self::Frontend | Self::Token)
    }
}

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// An operation of it is in flight.
    Joining,
    /// The client knows of it.
    Live,
}

/// One of a connection's subscriptions.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) channel: ChannelName,
    pub(super) ends: Option<Tick>,
    pub(super) origin: Origin,
    pub(super) stage: Stage,
}

impl Subscription {
    /// How the connection stands to the channel.
    pub(super) fn standing(&self) -> Standing {
        match (self.stage, self.origin) {
            (Stage::Joining, _) => Standing::Stranger,
            (Stage::Live, Origin::Frontend) => Standing::Subscriber,
            (Stage::Live, Origin::Token | Origin::Server | Origin::Service) => Standing::Vouched,
        }
    }
}

/// A connection's subscriptions, in the order of their channels' names.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many services made.
    pub(super) fn made_by_services(&self) -> usize {
        self.0.iter().filter(|it| it.origin == Origin::Service).count()
    }

    pub(super) fn get(&self, channel: &str) -> Option<&Subscription> {
        self.place(channel).ok().map(|at| &self.0[at])
    }

    pub(super) fn get_mut(&mut self, channel: &str) -> Option<&mut Subscription> {
        self.place(channel).ok().map(|at| &mut self.0[at])
    }

    /// Channels that the client knows to be subscribed to.
    pub(super) fn live(&self) -> impl Iterator<Item = &ChannelName> {
        self.0.iter().filter(|it| it.stage == Stage::Live).map(|it| &it.channel)
    }

    /// Adds one, in place of any of the same channel.
    pub(super) fn insert(&mut self, subscription: Subscription) {
        match self.place(&subscription.channel) {
            Ok(at) => self.0[at] = subscription,
            Err(at) => {
                // Room for no more than that: idle memory matters, and subscribing costs far more than a reallocation.
                self.0.reserve_exact(1);
                self.0.insert(at, subscription);
            }
        }
    }

    pub(super) fn remove(&mut self, channel: &str) -> Option<Subscription> {
        let at = self.place(channel).ok()?;
        let removed = self.0.remove(at);
        self.0.shrink_to(self.0.len() * 2);
        Some(removed)
    }

    /// Removes one live subscription that has ended by itself.
    pub(super) fn remove_ended(&mut self, now: Tick) -> Option<Subscription> {
        let at = self.0.iter().position(|it| it.stage == Stage::Live && it.ends.is_some_and(|ends| ends <= now))?;
        Some(self.0.remove(at))
    }

    /// When the next live subscription ends by itself.
    pub(super) fn next_end(&self) -> Option<Tick> {
        self.0.iter().filter(|it| it.stage == Stage::Live).filter_map(|it| it.ends).min()
    }

    fn place(&self, channel: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|it| it.channel.as_str().cmp(channel))
    }
}
