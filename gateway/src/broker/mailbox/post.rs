//! The entries of a mailbox.

use crate::broker::types::Announcement;
use gateway_core::model::{ChannelName, CommandTarget, ConnectionId, Position, Publication, ServerCommand, UserId};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc::Sender;

/// A message of a channel to its subscribers.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A publication of the stream, or one that is not stored.
    Publication(Arc<Publication>),
    /// A join or a leave.
    Announcement(Announcement),
}

/// One entry of a mailbox.
#[derive(Debug)]
pub enum Post {
    /// A message for the subscribers of a channel.
    Delivery(ChannelName, Delivery),
    /// The mailbox dropped deliveries of this channel: the worker must read its stream.
    Dirty(ChannelName),
    /// The mailbox dropped deliveries of more channels than it can name: the worker must treat each of its channels as [`Post::Dirty`].
    AllDirty,
    /// The top of this channel's stream. A worker with an older position must read the stream. Counts as [`Post::Dirty`] if the mailbox is
    /// full.
    Top(ChannelName, Position, Check),
    /// A command for connections. Each worker answers with the number of its connections that the command matched.
    Command(CommandTarget, ServerCommand, Sender<usize>),
    /// A query to the worker's hub.
    Survey(Survey),
    /// This node lost its lease: workers must add their presence and register their connections again.
    RegisterAgain,
    /// This node may have missed commands of services: workers must check which of their users were revoked.
    CheckRevocations,
    /// Workers must register every connection from now on.
    RegisterConnections,
    /// Closes all connections, see [`DrainPlan`].
    Drain(DrainPlan),
}

/// Why a top was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Deliveries were interrupted, so some may be missing.
    Resumed,
    /// A regular check: nothing should be missing.
    Audit,
}

/// A query to every worker. Each sends one answer.
#[derive(Debug, Clone)]
pub enum Survey {
    /// Connections of a user or with an id.
    Connections(CommandTarget, Sender<Vec<ConnectionSummary>>),
    /// Subscribers of a channel.
    Subscribers(ChannelName, Sender<usize>),
}

/// A connection, for operators.
#[derive(Debug, Clone)]
pub struct ConnectionSummary {
    /// The connection's id.
    pub id: ConnectionId,
    /// The connection's user.
    pub user: UserId,
    /// The subscribed channels.
    pub channels: Vec<ChannelName>,
    /// When the connection was opened, in milliseconds since 1970.
    pub since_ms: u64,
}

/// How to close all connections.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// The time over which the closes are spread, in random order. Calls of a connection may end meanwhile.
    pub window: Duration,
}
