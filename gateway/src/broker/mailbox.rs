//! What a worker has still to take in.

use super::Announcement;
use crate::model::{ChannelName, CommandTarget, Publication, ServerCommand};
use std::{
    sync::Arc,
    task::{Context, Poll},
};

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
    /// For connections; each worker answers with how many of its own were concerned.
    Command(CommandTarget, ServerCommand, tokio::sync::mpsc::Sender<usize>),
    /// A question to the worker's hub.
    Survey(Survey),
    /// Close all connections: see [`DrainPlan`].
    Drain(DrainPlan),
}

/// A question to every worker; each sends one answer.
#[derive(Debug, Clone)]
pub enum Survey {
    /// Connections of a user or with an id.
    Connections(CommandTarget, tokio::sync::mpsc::Sender<Vec<ConnectionSummary>>),
    /// Subscribers of a channel.
    Subscribers(ChannelName, tokio::sync::mpsc::Sender<usize>),
}

/// One connection as operators see it.
#[derive(Debug, Clone)]
pub struct ConnectionSummary {
    /// Its id.
    pub id: crate::model::ConnectionId,
    /// The user behind it.
    pub user: crate::model::UserId,
    /// Its channels.
    pub channels: Vec<ChannelName>,
    /// Milliseconds since 1970 when it came.
    pub since_ms: u64,
}

/// How to close all connections.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// Closes are spread over this time, in random order.
    pub window: std::time::Duration,
}

/// A bounded queue into one worker. A full one drops deliveries and says so with [`Post::Dirty`], once per channel and drain.
pub struct Mailbox {
    _private: (),
}

impl Mailbox {
    /// A mailbox for at most `entries` deliveries of `bytes` bytes in all; a single channel may take a quarter of either.
    pub fn new(entries: usize, bytes: usize) -> Self {
        let _ = (entries, bytes);
        Self { _private: () }
    }

    /// Queues a delivery, or marks its channel dirty. Wakes the worker only if the mailbox was empty.
    pub fn deliver(&self, channel: &ChannelName, delivery: Delivery) {
        let _ = (channel, delivery);
    }

    /// Queues anything else; false if there is no room (control posts have room of their own).
    pub fn post(&self, post: Post) -> bool {
        let _ = post;
        false
    }

    /// Swaps all that waits into `into`, which must be empty; pending while there is nothing.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Vec<Post>) -> Poll<()> {
        let _ = (cx, into);
        Poll::Pending
    }
}
