//! The subscriptions of a connection and their states. Most connections are idle and have few subscriptions, so the table is kept small.

use super::renewal::Renewal;
use crate::{
    channel::SubscriptionStatus,
    model::{ChannelName, Data, Tick, Transition, Transitions},
};

/// Who made a subscription, and on what grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The frontend, without a token. The guard of the channel, if there is one, has allowed it.
    Frontend,
    /// The frontend, with a subscription token.
    Token,
    /// The frontend. The capabilities of the connection token took the place of a subscription token.
    Capability,
    /// The gateway, for as long as the connection lasts: the personal channel, or a channel that the service names which let the connection in.
    Server,
    /// The gateway, for as long as the connection token allows it: a channel that the token names.
    ConnectionToken,
    /// A service, which also decides when it ends.
    Service,
}

impl Source {
    /// Whether the frontend made it.
    pub(crate) fn is_frontend(self) -> bool {
        matches!(self, Self::Frontend | Self::Token | Self::Capability)
    }
}

/// The state of the subscription to one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionState {
    /// There is no subscription.
    Absent,
    /// The subscription token is being checked, or the guard of the channel is being asked.
    Authorizing,
    /// The connection is being added to the channel.
    Attaching,
    /// The client knows that it is subscribed.
    Live,
}

/// What changes the state of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionEvent {
    /// The frontend subscribes with a token.
    SubscribeWithToken,
    /// The frontend subscribes without a token to a channel that has a guard.
    SubscribeWithGuard,
    /// The frontend subscribes without a token.
    Subscribe,
    /// A service subscribes the connection.
    ServerSubscribe,
    /// The connect command has attached the channel.
    Connect,
    /// The token is valid, or the guard allows it.
    Authorized,
    /// The connection is in the channel.
    Attached,
    /// The token is not valid, the guard refuses, or the attach failed.
    Failed,
    /// A newer command of the frontend, or a service, ends a subscribe that is under way.
    Aborted,
    /// The frontend or a service ends the subscription.
    Unsubscribe,
    /// The token has expired, or the time that the service set is over, or the guard or a new connection token no longer allows it.
    Expired,
    /// Publications were lost and can no longer be read.
    PublicationsLost,
}

pub(crate) const SUBSCRIPTION: Transitions<SubscriptionState, SubscriptionEvent> = {
    use SubscriptionEvent as Event;
    use SubscriptionState::{Absent, Attaching, Authorizing, Live};
    Transitions(&[
        Transition { event: Event::SubscribeWithToken, from: &[Absent], to: Authorizing },
        Transition { event: Event::SubscribeWithGuard, from: &[Absent], to: Authorizing },
        Transition { event: Event::Subscribe, from: &[Absent], to: Attaching },
        Transition { event: Event::ServerSubscribe, from: &[Absent], to: Attaching },
        Transition { event: Event::Connect, from: &[Absent], to: Live },
        Transition { event: Event::Authorized, from: &[Authorizing], to: Attaching },
        Transition { event: Event::Attached, from: &[Attaching], to: Live },
        Transition { event: Event::Failed, from: &[Authorizing, Attaching], to: Absent },
        Transition { event: Event::Aborted, from: &[Authorizing, Attaching], to: Absent },
        Transition { event: Event::Unsubscribe, from: &[Live], to: Absent },
        Transition { event: Event::Expired, from: &[Live], to: Absent },
        Transition { event: Event::PublicationsLost, from: &[Live], to: Absent },
    ])
};

/// One subscription of a connection.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) channel: ChannelName,
    pub(crate) source: Source,
    /// When it ends by itself.
    pub(crate) expires_at: Option<Tick>,
    /// The answer of the channel's guard, if it is valid for a limited time. Boxed, because most subscriptions have none.
    pub(crate) renewal: Option<Box<Renewal<Option<Data>>>>,
    state: SubscriptionState,
}

impl Subscription {
    /// A subscription that begins with `event`.
    pub(crate) fn begin(channel: ChannelName, source: Source, expires_at: Option<Tick>, event: SubscriptionEvent) -> Self {
        let mut subscription = Self { channel, source, expires_at, renewal: None, state: SubscriptionState::Absent };
        subscription.apply(event);
        subscription
    }

    /// Changes the state as the table says.
    pub(crate) fn apply(&mut self, event: SubscriptionEvent) {
        self.state = SUBSCRIPTION.follow(self.state, event);
    }

    pub(crate) fn is_live(&self) -> bool {
        self.state == SubscriptionState::Live
    }

    fn is_over(&self, now: Tick) -> bool {
        self.expires_at.is_some_and(|at| at <= now) || self.renewal.as_ref().is_some_and(|renewal| renewal.is_over(now))
    }

    fn status(&self) -> SubscriptionStatus {
        match (self.is_live(), self.source) {
            (false, _) => SubscriptionStatus::NotSubscribed,
            (true, Source::Frontend) => SubscriptionStatus::Subscribed,
            (true, Source::Token | Source::Capability | Source::Server | Source::ConnectionToken | Source::Service) => {
                SubscriptionStatus::Authorized
            }
        }
    }
}

/// The subscriptions of a connection, ordered by channel name.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Number of subscriptions that services made.
    pub(crate) fn made_by_services(&self) -> usize {
        self.0.iter().filter(|it| it.source == Source::Service).count()
    }

    pub(crate) fn get(&self, channel: &str) -> Option<&Subscription> {
        self.find(channel).ok().map(|at| &self.0[at])
    }

    pub(crate) fn get_mut(&mut self, channel: &str) -> Option<&mut Subscription> {
        self.find(channel).ok().map(|at| &mut self.0[at])
    }

    /// Whether and how the connection is subscribed to a channel, for permissions.
    pub(crate) fn status(&self, channel: &str) -> SubscriptionStatus {
        self.get(channel).map_or(SubscriptionStatus::NotSubscribed, Subscription::status)
    }

    /// The channels to which the client is subscribed.
    pub(crate) fn live(&self) -> impl Iterator<Item = &ChannelName> {
        self.0.iter().filter(|it| it.is_live()).map(|it| &it.channel)
    }

    /// All of them, in any state.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.0.iter()
    }

    /// Adds a subscription, or replaces the one to the same channel.
    pub(crate) fn insert(&mut self, subscription: Subscription) {
        match self.find(&subscription.channel) {
            Ok(at) => self.0[at] = subscription,
            Err(at) => {
                // Memory of idle connections matters more than the cost of a reallocation, which is small compared with a subscribe.
                self.0.reserve_exact(1);
                self.0.insert(at, subscription);
            }
        }
    }

    /// Applies an event after which there is no subscription, and returns the channel's name. None if there was no subscription.
    pub(crate) fn end(&mut self, channel: &str, event: SubscriptionEvent) -> Option<ChannelName> {
        let at = self.find(channel).ok()?;
        let mut ended = self.0.remove(at);
        self.0.shrink_to(self.0.len() * 2);
        ended.apply(event);
        debug_assert_eq!(ended.state, SubscriptionState::Absent);
        Some(ended.channel)
    }

    /// Ends a live subscription that has expired, if there is one.
    pub(crate) fn end_expired(&mut self, now: Tick) -> Option<ChannelName> {
        let expired = self.0.iter().find(|it| it.is_live() && it.is_over(now))?;
        let channel = expired.channel.clone();
        self.end(&channel, SubscriptionEvent::Expired)
    }

    /// A live subscription about which the guard has to be asked again.
    pub(crate) fn due_for_renewal(&mut self, now: Tick) -> Option<&mut Subscription> {
        self.0.iter_mut().find(|it| it.is_live() && it.renewal.as_ref().is_some_and(|renewal| renewal.is_due(now)))
    }

    /// When the next live subscription expires, or its guard has to be asked again.
    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        let live = self.0.iter().filter(|it| it.is_live());
        live.flat_map(|it| [it.expires_at, it.renewal.as_ref().map(|renewal| renewal.deadline())]).flatten().min()
    }

    fn find(&self, channel: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|it| it.channel.as_str().cmp(channel))
    }
}
