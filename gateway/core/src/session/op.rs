//! What a session has others do, and how that ends.

use crate::model::{ChannelName, ClientInfo, Data, Position, PresenceStats, Publication, RecoverFrom, Recovery, Refusal, Side, UserId};
use std::{sync::Arc, time::Duration};

/// Names an operation in flight, unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(pub u32);

/// What a session cannot do by itself.
#[derive(Debug)]
pub enum Op {
    /// Check a connection token (empty: anonymous).
    Authenticate {
        /// The token.
        token: String,
    },
    // NL-5.8, NL-7.9
    /// Read what services subscribed a user to, and whether they revoked its tokens. The connection has to be known under the user by then: what is
    /// stored after the read reaches it as a command.
    Subscriptions {
        /// The user.
        user: UserId,
        /// When the token was issued, in seconds since 1970; none: it does not say.
        issued: Option<u64>,
    },
    /// Check a new connection token.
    Refresh {
        /// The token.
        token: String,
    },
    /// Check a subscription token for this channel and user.
    Authorize {
        /// The channel.
        channel: ChannelName,
        /// The token.
        token: String,
    },
    /// Join a channel: subscribe, and read what was missed. Deliveries are held back until [`Action::GoLive`](super::Action::GoLive).
    Attach(Attach),
    /// Publish into a channel.
    Publish {
        /// Where to.
        channel: ChannelName,
        /// What.
        data: Data,
    },
    /// Who is there.
    Presence {
        /// Where.
        channel: ChannelName,
    },
    /// How many are there.
    PresenceStats {
        /// Where.
        channel: ChannelName,
    },
    /// Read the stream: at most `limit`; `limit` 0: only the position.
    History {
        /// Which stream.
        channel: ChannelName,
        /// From where on.
        since: Option<RecoverFrom>,
        /// Publications at most.
        limit: usize,
        /// Newest first.
        reverse: bool,
    },
    /// Call a service.
    Call {
        /// `service.name` or `service:name`.
        method: String,
        /// Its argument.
        data: Data,
    },
    /// Send a service an event.
    Event {
        /// The service's name, as it came.
        service: String,
        /// What.
        data: Data,
    },
}

/// See [`Op::Attach`].
#[derive(Debug)]
pub struct Attach {
    /// Which channel.
    pub channel: ChannelName,
    /// What the client has; none: from now on.
    pub recover: Option<RecoverFrom>,
    /// How others see this subscription; its presence and joins are the hub's business.
    pub info: Arc<ClientInfo>,
    /// Who made it.
    pub side: Side,
    /// Deliver joins and leaves.
    pub join_leave: bool,
    /// Attaches that are answered in one message and so share the size of one page, at least 1.
    pub among: usize,
}

/// How an operation ended.
#[derive(Debug)]
pub enum Outcome {
    /// It failed.
    Failed(Refusal),
    /// The token is not valid: the connection ends with 3500.
    InvalidToken(Refusal),
    /// The token was accepted.
    Authenticated(Box<Identity>),
    /// What services subscribed the user to.
    Subscriptions(Vec<ServerSubscription>),
    /// The new token was accepted.
    Refreshed {
        /// Whose it is; has to be the connection's user.
        user: UserId,
        /// When it was issued, in seconds since 1970; none: it does not say.
        issued: Option<u64>,
        /// How long it is valid; none: for good.
        expires_in: Option<Duration>,
    },
    /// The subscription's token was accepted.
    Authorized {
        /// Shown to others in the channel.
        info: Option<Data>,
        /// How long it is valid; none: for good.
        expires_in: Option<Duration>,
    },
    /// The channel was joined; deliveries are held back.
    Attached(Attached),
    /// Stored, or announced.
    Published,
    /// Who is there.
    Presence(Vec<Arc<ClientInfo>>),
    /// How many are there.
    PresenceStats(PresenceStats),
    /// A page of the stream.
    History {
        /// Of the newest publication.
        position: Position,
        /// In the order asked for.
        publications: Vec<Arc<Publication>>,
    },
    /// The service's answer.
    Called(Data),
    /// The service's own error.
    CallFailed {
        /// The service's.
        code: u32,
        /// For people.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
    /// The event was taken.
    Sent,
}

/// Who is behind a connection.
#[derive(Debug)]
pub struct Identity {
    /// Empty for anonymous.
    pub user: UserId,
    /// When the token was issued, in seconds since 1970; none: it does not say.
    pub issued: Option<u64>,
    /// How long the token is valid; none: for good.
    pub expires_in: Option<Duration>,
    /// Shown to others.
    pub info: Option<Data>,
    /// Server-side subscriptions that the token names. The personal channel is the session's to add.
    pub channels: Vec<ChannelName>,
}

/// A subscription that a service made for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSubscription {
    /// Where to.
    pub channel: ChannelName,
    /// When it ends by itself.
    pub expires_in: Option<Duration>,
}

/// See [`Outcome::Attached`].
#[derive(Debug, Default)]
pub struct Attached {
    /// The position that the answer tells. None without history.
    pub position: Option<Position>,
    /// How the recovery went.
    pub recovery: Recovery,
    /// First page, for the answer.
    pub publications: Vec<Arc<Publication>>,
}
