//! The queue of one worker.

use super::{
    post::{Delivery, Post},
    queue::{Queue, Room},
    stats::MailboxStats,
};
use futures_util::task::AtomicWaker;
use gateway_core::model::{ChannelName, lock};
use std::{
    sync::Mutex,
    task::{Context, Poll},
};

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
    pub(in crate::broker) fn enqueue(&self, channel: &ChannelName, delivery: Delivery) -> bool {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        queue.deliver(self.room, channel, delivery);
        was_empty
    }

    /// Wakes the worker.
    pub(in crate::broker) fn wake(&self) {
        self.worker.wake();
    }

    fn take(&self, into: &mut Vec<Post>) -> bool {
        debug_assert!(into.is_empty(), "the worker hands in its spare");
        lock(&self.queue).take(into)
    }
}
