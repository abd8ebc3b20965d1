//! What services ask of connections.

use super::{ChannelName, ConnectionId, Data, Position, Unsubscribe, UserId};
use std::time::Duration;

/// Something a service or the node itself does to a connection.
#[derive(Clone, Debug)]
pub enum ServerCommand {
    /// Close it with this WebSocket close code (3000 to 4999) and reason (at most 123 bytes).
    Disconnect {
        /// Close code.
        code: u16,
        /// Close reason.
        reason: Box<str>,
    },
    /// Subscribe it on its behalf. Where that was done before, only the end changes.
    Subscribe {
        /// Where to.
        channel: ChannelName,
        /// Recover from here.
        since: Option<Position>,
        /// When it ends by itself, from when the connection hears of it.
        expires_in: Option<Duration>,
    },
    /// End a subscription.
    Unsubscribe {
        /// Which.
        channel: ChannelName,
        /// Told to the client.
        code: Unsubscribe,
    },
    /// Send it a message outside any channel.
    Message(Data),
}

/// Which connections a [`ServerCommand`] concerns.
#[derive(Clone, Debug)]
pub enum CommandTarget {
    /// One connection.
    Connection(ConnectionId),
    /// All of a user's.
    User(UserId),
}
