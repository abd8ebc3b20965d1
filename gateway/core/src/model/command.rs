//! Commands that services, or the node itself, send to connections.

use super::{ChannelName, ClaimDigest, ConnectionId, Data, Position, RevocableClaim, Revocation, RevocationTarget, Unsubscribe, UserId};
use std::{sync::Arc, time::Duration};

/// What a service or the node tells a connection to do.
#[derive(Clone, Debug)]
pub enum ServerCommand {
    /// Close the connection.
    Disconnect {
        /// WebSocket close code, 3000 to 4999.
        code: u16,
        /// Close reason, at most 123 bytes.
        reason: Box<str>,
    },
    /// Close the connection if the revocation applies to its token.
    Revoke(Arc<Revocation>),
    /// Subscribe the connection. If a service has subscribed it to this channel before, only the expiry changes.
    Subscribe {
        /// The channel.
        channel: ChannelName,
        /// Recover from this position; none: start with the next publication.
        since: Option<Position>,
        /// The subscription ends after this time, counted from the arrival of the command; none: it does not expire.
        expires_in: Option<Duration>,
    },
    /// End a subscription.
    Unsubscribe {
        /// The channel.
        channel: ChannelName,
        /// The reason that the client gets.
        code: Unsubscribe,
    },
    /// Send the client a message that belongs to no channel.
    Message {
        /// The message.
        data: Data,
        /// The queue in which a STOMP client receives it. Clients of other protocols receive it with or without.
        queue: Option<Box<str>>,
    },
}

/// The connections that a [`ServerCommand`] is for.
#[derive(Clone, Debug)]
pub enum CommandTarget {
    /// One connection.
    Connection(ConnectionId),
    /// All connections of a user.
    User(UserId),
    /// All connections whose token has a claim.
    Claim(RevocableClaim, ClaimDigest),
}

impl From<RevocationTarget> for CommandTarget {
    fn from(target: RevocationTarget) -> Self {
        match target {
            RevocationTarget::User(user) => Self::User(user),
            RevocationTarget::Claim(claim, digest) => Self::Claim(claim, digest),
        }
    }
}
