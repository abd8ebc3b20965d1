//! What frontends are told.

use crate::model::{ChannelName, ClientInfo, ConnectionId, Data, Position, PresenceStats, Publication, Recovery, Refusal, Unsubscribe};
use std::sync::Arc;

/// The answer to a command.
#[derive(Debug)]
pub enum Reply {
    /// It failed.
    Error(Refusal),
    /// See [`Connected`].
    Connect(Box<Connected>),
    /// See [`Subscribed`].
    Subscribe(Box<Subscribed>),
    /// Done.
    Unsubscribe,
    /// Done.
    Publish,
    /// Who is there.
    Presence(Vec<Arc<ClientInfo>>),
    /// How many are there.
    PresenceStats(PresenceStats),
    /// A page of the stream, and its newest position.
    History {
        /// Of the newest publication.
        position: Position,
        /// In the order asked for.
        publications: Vec<Arc<Publication>>,
    },
    /// The service's answer.
    Rpc(Data),
    /// The service's own error; its codes are its own.
    CallFailed {
        /// The service's.
        code: u32,
        /// For people.
        message: String,
        /// Whether the same call may succeed later.
        temporary: bool,
    },
    /// The new connection token was accepted.
    Refresh {
        /// Seconds until the next refresh; none: expires no more.
        ttl: Option<u32>,
        /// Whose.
        client: ConnectionId,
    },
    /// The new subscription token was accepted.
    SubRefresh {
        /// Seconds until the next refresh; none: expires no more.
        ttl: Option<u32>,
    },
    /// Alive.
    Ping,
}

/// The answer to a connect.
#[derive(Debug)]
pub struct Connected {
    /// Its id.
    pub client: ConnectionId,
    /// Name of this node.
    pub node: Arc<str>,
    /// Seconds between pings.
    pub ping: u32,
    /// Seconds until the token has to be refreshed.
    pub ttl: Option<u32>,
    /// Server-side subscriptions.
    pub subs: Vec<(ChannelName, Subscribed)>,
}

/// The state in which a subscription starts.
#[derive(Debug, Default)]
pub struct Subscribed {
    /// The client's new position: that of the first page's predecessor. None without history.
    pub position: Option<Position>,
    /// Whether a recovery was asked for, and how it went.
    pub recovery: Recovery,
    /// The first page of what was missed.
    pub publications: Vec<Arc<Publication>>,
    /// Seconds until the subscription's token has to be refreshed.
    pub ttl: Option<u32>,
}

/// What comes without being asked for.
#[derive(Debug)]
pub enum Push {
    /// To be answered by a pong.
    Ping,
    /// A message of a channel.
    Publication(ChannelName, Arc<Publication>),
    /// Somebody subscribed.
    Join(ChannelName, Arc<ClientInfo>),
    /// Somebody left.
    Leave(ChannelName, Arc<ClientInfo>),
    /// The server subscribed this connection.
    Subscribe(ChannelName, Subscribed),
    /// The server ended a subscription.
    Unsubscribe(ChannelName, Unsubscribe),
    /// A message outside any channel.
    Message(Data),
}
