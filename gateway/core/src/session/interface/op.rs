//! The operations that a session starts, and their outcomes.

use crate::{
    channel::{Capabilities, TagsFilter},
    model::{
        ChannelName, ClientInfo, Content, Data, ErrorCode, Meta, MetaChange, Position, PresenceStats, Publication, RecoverFrom, Recovery,
        Refusal, RevocableClaims, RevocableToken, Secret, SubscriptionSide, Tags, UserId,
    },
    protocol::DeliveryForm,
};
use std::{sync::Arc, time::Duration};

/// The id of an operation, unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(pub u32);

/// Something that a session cannot do without I/O.
#[derive(Debug)]
pub enum Op {
    /// Find out who the connection is: check the token, or ask the service that decides about connections.
    Authenticate(ConnectQuestion),
    /// Ask the service that let the connection in whether it may stay.
    AskConnect(ConnectQuestion),
    // NL-5.8, NL-7.9
    /// Read the channels to which services subscribed the user of a token, and whether the token is revoked.
    ///
    /// The connection has to be registered under the user and the claims of the token before the read. So a subscription or a revocation that
    /// is stored after the read still reaches the connection, as a command.
    Subscriptions(RevocableToken),
    /// Check a new connection token.
    Refresh {
        /// The token.
        token: Secret,
    },
    /// Check a subscription token for this channel and the connection's user.
    Authorize {
        /// The channel.
        channel: ChannelName,
        /// The token.
        token: Secret,
    },
    /// Ask the guard of a channel whether the connection may subscribe.
    AskSubscribe {
        /// The channel.
        channel: ChannelName,
        /// What the application says about the subscription.
        data: Option<Data>,
        /// Longest time for the answer.
        within: Duration,
        /// Why it is asked.
        occasion: Occasion,
    },
    /// Add the connection to a channel, and read what it missed. New publications are buffered until [`Action::GoLive`](super::Action::GoLive).
    Attach(Attach),
    /// Publish into a channel. If the channel has a guard, it is asked first.
    Publish {
        /// The channel.
        channel: ChannelName,
        /// The message.
        content: Content,
        /// Names and values beside the message.
        tags: Tags,
    },
    /// Publish the reply of a service into a channel, as the service would.
    PublishReply {
        /// The channel.
        channel: ChannelName,
        /// The reply.
        content: Content,
        /// Names and values beside the reply.
        tags: Tags,
    },
    /// Read the presence list of a channel.
    Presence {
        /// The channel.
        channel: ChannelName,
    },
    /// Read how many connections and users are in a channel.
    PresenceStats {
        /// The channel.
        channel: ChannelName,
    },
    /// Read the history of a channel.
    History {
        /// The channel.
        channel: ChannelName,
        /// Start after this position, or before it if `reverse` is set; none: start with the oldest publication, or with the newest.
        since: Option<RecoverFrom>,
        /// Publications at most; 0: only the position of the newest one.
        limit: usize,
        /// Newest first.
        reverse: bool,
    },
    /// Call a service.
    Call {
        /// `service.name` or `service:name`.
        method: String,
        /// The argument.
        data: Data,
    },
    /// Send an event to a service.
    Event {
        /// The name of the service, not checked yet.
        service: String,
        /// The event.
        data: Data,
    },
}

/// The arguments of [`Op::Attach`].
#[derive(Debug)]
pub struct Attach {
    /// The channel.
    pub channel: ChannelName,
    /// The position that the client remembers; none: start with the next publication.
    pub recover: Option<RecoverFrom>,
    /// What other subscribers see of this connection, in presence and joins.
    pub info: Arc<ClientInfo>,
    /// Who made the subscription.
    pub side: SubscriptionSide,
    /// Whether the client wants joins and leaves.
    pub join_leave: bool,
    /// Whether pushes may have a number in place of the channel's name.
    pub compact: bool,
    /// Whether publications are deltas.
    pub delta: bool,
    /// Which publications the client wants; none: all.
    pub tags_filter: Option<Arc<TagsFilter>>,
    /// How deliveries are written, if not as pushes of the Centrifuge protocol.
    pub form: Option<DeliveryForm>,
    /// Number of attaches that are answered in one message, at least 1. They share the limit of one page.
    pub page_shares: usize,
    /// Longest time for it.
    pub within: Duration,
}

/// How an operation ended.
#[derive(Debug)]
pub enum Outcome {
    /// It failed.
    Failed(Refusal),
    /// The token is not valid. For a connection token the connection is closed with 3500.
    InvalidToken(Refusal),
    /// A service that was asked wants the connection closed.
    Disconnect {
        /// Close code.
        code: u16,
        /// Close reason, at most 123 bytes.
        reason: Box<str>,
    },
    /// [`Op::Authenticate`], [`Op::AskConnect`]: who the connection is.
    Authenticated(Box<Identity>),
    /// [`Op::Subscriptions`]: the channels to which services subscribed the user.
    Subscriptions(Vec<ServerSubscription>),
    /// [`Op::Refresh`]: the new token is valid.
    Refreshed {
        /// The user of the new token. It has to be the user of the connection.
        user: UserId,
        /// When it was issued, in seconds since 1970; none: the token does not say.
        issued: Option<u64>,
        /// Claims by which it can be revoked; none: it has no such claims.
        claims: Option<Box<RevocableClaims>>,
        /// What services get with each call of the connection.
        meta: Option<Meta>,
        /// How long it is valid; none: it does not expire.
        expires_in: Option<Duration>,
        /// What it allows in channels; none: it does not say.
        capabilities: Option<Box<Capabilities>>,
    },
    /// [`Op::Authorize`]: the token is valid.
    Authorized {
        /// Data that other subscribers of the channel see.
        info: Option<Data>,
        /// How long it is valid; none: it does not expire.
        expires_in: Option<Duration>,
    },
    /// [`Op::AskSubscribe`]: the guard allows the subscription.
    Allowed(Box<SubscribePermit>),
    /// [`Op::Attach`]: the connection is in the channel.
    Attached(Attached),
    /// [`Op::Publish`], [`Op::PublishReply`]: the publication is stored, or announced if the channel has no history.
    Published,
    /// [`Op::Presence`]: who is in the channel.
    Presence(Vec<Arc<ClientInfo>>),
    /// [`Op::PresenceStats`]: how many connections and users are in the channel.
    PresenceStats(PresenceStats),
    /// [`Op::History`]: a page of the history.
    History {
        /// The position of the newest publication.
        position: Position,
        /// The publications in the requested order.
        publications: Vec<Arc<Publication>>,
    },
    /// [`Op::Call`]: the reply of the service.
    Called {
        /// The reply.
        data: Data,
        /// What the service keeps with the connection from now on.
        meta: MetaChange,
    },
    /// An error that the service defines: of a call, or the refusal of a service that was asked.
    CallFailed {
        /// The service's error code.
        code: u32,
        /// The service's error text.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
    /// [`Op::Event`]: the event was accepted.
    Sent,
}

impl Outcome {
    /// The entries of an answer: they cost something, which the command did not when it came.
    pub fn entries(&self) -> usize {
        match self {
            Self::History { publications, .. } => publications.len(),
            Self::Presence(clients) => clients.len(),
            Self::Attached(attached) => attached.publications.len(),
            _ => 0,
        }
    }

    /// The error of an operation that did not succeed. An outcome of another operation is an internal error.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Failed(refusal) | Self::InvalidToken(refusal) => refusal,
            _ => ErrorCode::Internal.into(),
        }
    }

    /// As [`Self::into_refusal`], for a subscription token: if it is not valid, only the subscription is refused.
    pub(crate) fn into_subscription_refusal(self) -> Refusal {
        match self {
            Self::InvalidToken(refusal) => Refusal::new(ErrorCode::PermissionDenied, refusal.detail),
            other => other.into_refusal(),
        }
    }
}

/// What the service that decides about connections is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectQuestion {
    /// The connection token; empty if the client has none.
    pub token: Secret,
    /// What the application says about itself.
    pub data: Option<Data>,
}

/// The result of [`Op::Authenticate`].
#[derive(Debug)]
pub struct Identity {
    /// The user; empty for anonymous.
    pub user: UserId,
    /// When the token was issued, in seconds since 1970; none: the token does not say. If a service named the user, when it was asked.
    pub issued: Option<u64>,
    /// Claims by which the token can be revoked; none: it has no such claims.
    pub claims: Option<Box<RevocableClaims>>,
    /// How long the token is valid; none: it does not expire.
    pub expires_in: Option<Duration>,
    /// Data that other connections see.
    pub info: Option<Data>,
    /// What the token has for services, unless the service that decides about connections says something else.
    pub meta: Option<Meta>,
    /// The channels that the token names. The session adds the personal channel, and those of the service.
    pub channels: Vec<ChannelName>,
    /// What the token allows in channels; none: it does not say.
    pub capabilities: Option<Box<Capabilities>>,
    /// What the service that decides about connections says; none: no service was asked.
    pub permit: Option<ConnectPermit>,
}

/// Who named the user of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The token.
    Token,
    /// The service that decides about connections.
    Service,
}

/// What the service that decides about connections says, besides the user.
#[derive(Debug)]
pub struct ConnectPermit {
    /// Who named the user.
    pub named_by: NamedBy,
    /// What the service keeps with the connection.
    pub meta: Option<Meta>,
    /// What the reply says to the application.
    pub data: Option<Data>,
    /// The channels that the service names.
    pub channels: Vec<ChannelName>,
    /// How long the answer is valid, and what to ask before it ends; none: it does not expire.
    pub renewal: Option<(Duration, ConnectQuestion)>,
}

/// Why a service is asked for its permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A frontend wants to begin something.
    Begin,
    /// An earlier answer ends soon.
    Renewal,
}

/// What the guard of a channel says about a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribePermit {
    /// Data that other subscribers of the channel see.
    pub info: Option<Data>,
    /// What the reply says to the application.
    pub data: Option<Data>,
    /// How long the answer is valid; none: it does not expire.
    pub expires_in: Option<Duration>,
    /// Whether the subscriber gets joins and leaves; none: as it asked.
    pub join_leave: Option<bool>,
}

/// A subscription that a service made for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSubscription {
    /// The channel.
    pub channel: ChannelName,
    /// How long it lasts; none: it does not expire.
    pub expires_in: Option<Duration>,
}

/// The result of [`Op::Attach`].
#[derive(Debug, Default)]
pub struct Attached {
    /// The position that the reply gives to the client. `None` if the channel has no history.
    pub position: Option<Position>,
    /// How the recovery went.
    pub recovery: Recovery,
    /// The first page of missed publications, for the reply.
    pub publications: Vec<Arc<Publication>>,
    /// The number that pushes have in place of the channel's name. `None`: they have the name.
    pub number: Option<u64>,
    /// Whether publications are deltas.
    pub delta: bool,
}
