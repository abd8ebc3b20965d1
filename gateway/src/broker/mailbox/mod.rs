//! What a worker has still to take in.

mod queue;
#[cfg(test)]
mod tests;

use super::Announcement;
use futures_util::task::AtomicWaker;
use gateway_core::model::{ChannelName, CommandTarget, Position, Publication, ServerCommand, lock};
use queue::{Queue, Room};
use std::{
    sync::{Arc, Mutex},
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
    /// Deliveries of more channels were left out here than can be named: every channel of this worker has to be treated as [`Post::Dirty`].
    AllDirty,
    /// The stream of this channel stood here. A worker that has less has to read it. Where there is no room it counts as [`Post::Dirty`].
    Top(ChannelName, Position, Check),
    /// For connections; each worker answers with how many of its own were concerned.
    Command(CommandTarget, ServerCommand, tokio::sync::mpsc::Sender<usize>),
    /// A question to the worker's hub.
    Survey(Survey),
    /// This node was taken for dead: all that it had made present, and all that it has enrolled, has to be so again.
    Anew,
    /// What services did to connections may not have been told to this node: it has to look whom they have disconnected for good.
    Missed,
    /// From now on every connection has to be enrolled.
    Enroll,
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
    Connections(CommandTarget, tokio::sync::mpsc::Sender<Vec<ConnectionSummary>>),
    /// Subscribers of a channel.
    Subscribers(ChannelName, tokio::sync::mpsc::Sender<usize>),
}

/// One connection as operators see it.
#[derive(Debug, Clone)]
pub struct ConnectionSummary {
    /// Its id.
    pub id: gateway_core::model::ConnectionId,
    /// The user behind it.
    pub user: gateway_core::model::UserId,
    /// Its channels.
    pub channels: Vec<ChannelName>,
    /// Milliseconds since 1970 when it came.
    pub since_ms: u64,
}

/// How to close all connections.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// Closes are spread over this time, in random order; what a connection has under way may end meanwhile.
    pub window: std::time::Duration,
}

/// A bounded queue into one worker, which is its only consumer. A full one drops deliveries and says so with [`Post::Dirty`], once per
/// channel and drain.
///
/// What is handed out of a channel in one drain is always an unbroken run of what was delivered: from the first delivery that is left
/// out, all others of that channel are left out as well until the worker has drained, and `Dirty` comes behind the run.
pub struct Mailbox {
    room: Room,
    queue: Mutex<Queue>,
    worker: AtomicWaker,
}

impl Mailbox {
    /// A mailbox for at most `entries` deliveries of `bytes` bytes in all; a single channel may take a quarter of either. The first
    /// delivery of an empty mailbox is taken whatever its size, and a channel's first as long as the whole has room, so that nothing is
    /// too large for good. Control posts have a quarter as much of their own, and at most `entries` channels are named as dirty.
    pub fn new(entries: usize, bytes: usize) -> Self {
        Self { room: Room::new(entries, bytes), queue: Mutex::default(), worker: AtomicWaker::new() }
    }

    /// Queues a delivery, or marks its channel dirty. Wakes the worker only if the mailbox was empty.
    pub fn deliver(&self, channel: &ChannelName, delivery: Delivery) {
        if self.enqueue(channel, delivery) {
            self.wake();
        }
    }

    /// Queues anything else; false if there is no room (control posts have room of their own).
    pub fn post(&self, post: Post) -> bool {
        let (taken, was_empty) = {
            let mut queue = lock(&self.queue);
            let was_empty = queue.is_empty();
            (queue.post(self.room, post), was_empty)
        };
        if taken && was_empty {
            self.wake();
        }
        taken
    }

    /// Swaps all that waits into `into`, which must be empty; pending while there is nothing.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Vec<Post>) -> Poll<()> {
        if self.take(into) {
            return Poll::Ready(());
        }
        self.worker.register(cx.waker());
        // A producer that came before the registration found nobody to wake.
        if self.take(into) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What waits now, and what was dropped so far.
    pub fn stats(&self) -> MailboxStats {
        lock(&self.queue).stats()
    }

    /// [`Self::deliver`] without the wake, for callers that hold a lock; true if [`Self::wake`] is due.
    pub(super) fn enqueue(&self, channel: &ChannelName, delivery: Delivery) -> bool {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        queue.deliver(self.room, channel, delivery);
        was_empty
    }

    /// Wakes the worker.
    pub(super) fn wake(&self) {
        self.worker.wake();
    }

    fn take(&self, into: &mut Vec<Post>) -> bool {
        debug_assert!(into.is_empty(), "the worker hands in its spare");
        lock(&self.queue).take(into)
    }
}

/// A mailbox in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxStats {
    /// Deliveries that wait.
    pub entries: usize,
    /// Their bytes, about.
    pub bytes: usize,
    /// Control posts that wait.
    pub controls: usize,
    /// What was left out since the start.
    pub dropped: Dropped,
}

/// Posts that a mailbox left out, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Deliveries for which the whole mailbox had no room.
    pub full: u64,
    /// Deliveries whose channel had taken its quarter.
    pub share: u64,
    /// Deliveries of a channel that was dirty already.
    pub dirty: u64,
    /// Control posts that were refused.
    pub control: u64,
}
