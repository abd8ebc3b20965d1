//! The replies and pushes to frontends.

use crate::model::{
    ChannelName, ClientInfo, ConnectionId, Data, ErrorCode, Position, PresenceStats, Publication, Recovery, Refusal, SessionKey,
    Unsubscribe,
};
use std::sync::Arc;

/// The reply to a command.
#[derive(Debug)]
pub enum Reply {
    /// The command failed.
    Error(Refusal),
    /// The client is connected.
    Connect(Box<Connected>),
    /// The client is subscribed.
    Subscribe(Box<Subscribed>),
    /// The client is no longer subscribed.
    Unsubscribe,
    /// The publication is stored, or announced if the channel has no history.
    Publish,
    /// The presence list of a channel.
    Presence(Vec<Arc<ClientInfo>>),
    /// How many connections and users are in a channel.
    PresenceStats(PresenceStats),
    /// A page of the history.
    History {
        /// The position of the newest publication.
        position: Position,
        /// The publications in the requested order.
        publications: Vec<Arc<Publication>>,
    },
    /// The reply of the service.
    Rpc(Data),
    /// An error that the service defines, with a code of its own.
    CallFailed {
        /// The service's error code.
        code: u32,
        /// The service's error text.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
    /// The new connection token is valid.
    Refresh {
        /// Seconds until the token expires; none: it does not expire.
        ttl: Option<u32>,
        /// The id of the connection.
        client: ConnectionId,
    },
    /// The new subscription token is valid.
    SubRefresh {
        /// Seconds until the token expires; none: it does not expire.
        ttl: Option<u32>,
    },
    /// The event is on its way to the service.
    Sent,
    /// The reply to a ping of the client.
    Ping,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Error(refusal)
    }
}

impl From<ErrorCode> for Reply {
    fn from(code: ErrorCode) -> Self {
        Self::Error(code.into())
    }
}

/// The fields of [`Reply::Connect`].
#[derive(Debug)]
pub struct Connected {
    /// The id of the connection.
    pub client: ConnectionId,
    /// The key of the session. `None`: the connection needs no key, and its id stands for it.
    pub session: Option<SessionKey>,
    /// The wall clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// The name of this node. For a session with a key: the address of its process.
    pub node: Arc<str>,
    /// Seconds between two pings of the protocol. None: the gateway pings with control frames of the WebSocket.
    pub ping: Option<u32>,
    /// Whether the client answers pings.
    pub pong: bool,
    /// Seconds until the connection token expires; none: it does not expire.
    pub ttl: Option<u32>,
    /// What the service that let the connection in says to the application.
    pub data: Option<Data>,
    /// The server-side subscriptions.
    pub subs: Vec<(ChannelName, Subscribed)>,
}

/// The start of a subscription, in [`Reply::Connect`], [`Reply::Subscribe`] and [`Push::Subscribe`].
#[derive(Debug, Default)]
pub struct Subscribed {
    /// The new position of the client, before `publications`. `None` if the channel has no history.
    pub position: Option<Position>,
    /// How the recovery went.
    pub recovery: Recovery,
    /// The first page of missed publications.
    pub publications: Vec<Arc<Publication>>,
    /// Seconds until the subscription token expires; none: it does not expire.
    pub ttl: Option<u32>,
    /// The number that pushes have in place of the channel's name. `None`: they have the name.
    pub number: Option<u64>,
    /// Whether publications are deltas.
    pub delta: bool,
    /// What the guard of the channel says to the application.
    pub data: Option<Data>,
}

/// A message that answers no command.
#[derive(Debug)]
pub enum Push {
    /// The client has to reply with a pong.
    Ping,
    /// A publication in a channel.
    Publication(ChannelName, Arc<Publication>),
    /// A connection subscribed to a channel.
    Join(ChannelName, Arc<ClientInfo>),
    /// A connection left a channel.
    Leave(ChannelName, Arc<ClientInfo>),
    /// The server subscribed this connection to a channel, or its position is in a new epoch.
    Subscribe(ChannelName, Subscribed),
    /// The server ended a subscription of this connection.
    Unsubscribe(ChannelName, Unsubscribe),
    /// A message of a service that belongs to no channel.
    Message {
        /// The message.
        data: Data,
        /// The queue in which a STOMP client receives it.
        queue: Option<Box<str>>,
    },
    /// The gateway closes the connection. Streams end with it, because they have no close frame.
    Disconnect {
        /// The code of [`Disconnect`](crate::model::Disconnect), or of a service.
        code: u16,
        /// Why, for people.
        reason: Box<str>,
    },
}
