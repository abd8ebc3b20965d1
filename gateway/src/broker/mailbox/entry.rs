//! The entries of a mailbox.

use crate::broker::types::Announcement;
use gateway_core::model::{ChannelName, CommandTarget, ConnectionId, Position, Publication, ServerCommand, SessionKey, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::{mpsc::Sender, oneshot};

/// A message of a channel to its subscribers.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A publication, stored or not.
    Publication(Arc<Publication>),
    /// A join or a leave.
    Announcement(Announcement),
}

/// One entry of a mailbox.
#[derive(Debug)]
pub enum MailboxEntry {
    /// A message for the subscribers of a channel.
    Delivery(ChannelName, Delivery),
    /// The mailbox dropped deliveries of this channel: the worker must read its stream.
    Dirty(ChannelName),
    /// The mailbox dropped deliveries of more channels than it can name: the worker must treat each of its channels as
    /// [`MailboxEntry::Dirty`].
    AllDirty,
    /// The newest position of this channel's stream (its top). A worker with an older position must read the stream. If this entry does not
    /// fit, the channel becomes dirty instead.
    Top(ChannelName, Position, TopReason),
    /// A command for connections. Each worker answers with the number of its connections that the command matched.
    Command(CommandTarget, ServerCommand, Sender<usize>),
    /// A query to the worker's hub.
    Query(HubQuery),
    /// Commands for the session with this key, from a request of their own. The worker answers what became of them.
    Post(SessionKey, PostedCommands, oneshot::Sender<PostOutcome>),
    /// This node lost its lease: workers must add their presence and register their connections again.
    RegisterAgain,
    /// This node may have missed commands of services: workers must check which of their users were revoked.
    CheckRevocations,
    /// Workers must register every connection from now on.
    RegisterConnections,
    /// Workers must register every subscription to a channel with `lifecycle` from now on.
    RegisterSubscriptions,
    /// The worker must close all connections, as the plan says.
    Drain(DrainPlan),
}

/// Why the broker read the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopReason {
    /// Deliveries were interrupted, so publications may be missing.
    Resumed,
    /// A regular check. No publication should be missing.
    Audit,
}

/// A query to the hub of every worker. Each hub sends one answer.
#[derive(Debug, Clone)]
pub enum HubQuery {
    /// The connections of a user, or the connection with an id.
    Connections(CommandTarget, Sender<Vec<ConnectionSummary>>),
    /// The number of subscribers of a channel.
    Subscribers(ChannelName, Sender<usize>),
}

/// The commands of one request for the session of a stream.
#[derive(Clone, PartialEq, Eq)]
pub enum PostedCommands {
    /// JSON commands, separated by line breaks.
    Json(Box<str>),
    /// Protobuf commands, each with its length before it.
    Protobuf(Box<[u8]>),
}

impl PostedCommands {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Protobuf(bytes) => bytes.len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Commands may contain tokens.
impl fmt::Debug for PostedCommands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostedCommands({} bytes)", self.len())
    }
}

/// What became of posted commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostOutcome {
    /// The session has them, behind all that it had before.
    Taken,
    /// There is no such session.
    Gone,
    /// Too many commands wait for this session. None of these was taken.
    Full,
}

/// A connection, as operators see it.
#[derive(Debug, Clone)]
pub struct ConnectionSummary {
    /// The connection's id.
    pub id: ConnectionId,
    /// The connection's user.
    pub user: UserId,
    /// The subscribed channels.
    pub channels: Vec<ChannelName>,
    /// When the connection was connected, in microseconds since 1970, so that two connects in a row differ.
    pub since_us: u64,
    /// The client's address, as far as it is known.
    pub address: Option<IpAddr>,
}

/// How a worker closes all its connections.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// The time over which the closes are spread, in random order. Calls of a connection may end in that time.
    pub window: Duration,
}
