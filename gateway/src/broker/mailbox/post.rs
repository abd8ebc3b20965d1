//! What a mailbox carries.

use crate::broker::types::Announcement;
use gateway_core::model::{ChannelName, CommandTarget, ConnectionId, Position, Publication, ServerCommand, UserId};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc::Sender;

/// What a channel hands to its subscribers.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A message of the stream, or an ephemeral one.
    Publication(Arc<Publication>),
    /// Outside the stream.
    Announcement(Announcement),
}

/// One entry of a mailbox.
#[derive(Debug)]
pub enum Post {
    /// For the subscribers of a channel.
    Delivery(ChannelName, Delivery),
    /// Deliveries of this channel were left out here; its stream has to be read.
    Dirty(ChannelName),
    /// Deliveries of more channels were left out here than can be named: every channel of this worker has to be treated as [`Post::Dirty`].
    AllDirty,
    /// The stream of this channel stood here. A worker that has less has to read it. Where there is no room it counts as [`Post::Dirty`].
    Top(ChannelName, Position, Check),
    /// For connections; each worker answers with how many of its own were concerned.
    Command(CommandTarget, ServerCommand, Sender<usize>),
    /// A question to the worker's hub.
    Survey(Survey),
    /// This node was taken for dead: all that it had made present, and all that it has enrolled, has to be so again.
    RegisterAgain,
    /// What services did to connections may not have been told to this node: it has to look whom they have disconnected for good.
    CheckRevocations,
    /// From now on every connection has to be enrolled.
    RegisterConnections,
    /// Close all connections: see [`DrainPlan`].
    Drain(DrainPlan),
}

/// Why a stream's top was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The way from the store was interrupted: deliveries may well be missing.
    Resumed,
    /// As a precaution: nothing should be missing.
    Audit,
}

/// A question to every worker; each sends one answer.
#[derive(Debug, Clone)]
pub enum Survey {
    /// Connections of a user or with an id.
    Connections(CommandTarget, Sender<Vec<ConnectionSummary>>),
    /// Subscribers of a channel.
    Subscribers(ChannelName, Sender<usize>),
}

/// One connection as operators see it.
#[derive(Debug, Clone)]
pub struct ConnectionSummary {
    /// Its id.
    pub id: ConnectionId,
    /// The user behind it.
    pub user: UserId,
    /// Its channels.
    pub channels: Vec<ChannelName>,
    /// Milliseconds since 1970 when it came.
    pub since_ms: u64,
}

/// How to close all connections.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// Closes are spread over this time, in random order; what a connection has under way may end meanwhile.
    pub window: Duration,
}
