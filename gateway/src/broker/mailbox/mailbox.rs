//! The mailbox of one worker.

use super::{
    post::{Delivery, Post},
    queue::{Capacity, Queue},
    stats::MailboxStats,
};
use futures_util::task::AtomicWaker;
use gateway_core::model::{ChannelName, lock};
use std::{
    sync::Mutex,
    task::{Context, Poll},
};

/// A bounded queue into one worker, the only consumer. A full mailbox drops deliveries and reports that with [`Post::Dirty`], once per
/// channel and drain.
///
/// The deliveries of a channel in one drain have no gap. After the first dropped delivery, the mailbox drops all others of that channel
/// until the worker
/// has drained it. [`Post::Dirty`] comes after the deliveries.
pub struct Mailbox {
    capacity: Capacity,
    queue: Mutex<Queue>,
    worker: AtomicWaker,
}

impl Mailbox {
    /// A mailbox for at most `entries` deliveries and `bytes` bytes. One channel may use a quarter of each. An empty mailbox accepts a
    /// delivery of any size, and
    /// a channel's first delivery may exceed the quarter, so that no delivery is too large for ever. Control posts have a quarter as much,
    /// in addition. At most
    /// `entries` channels are named as dirty.
    pub fn new(entries: usize, bytes: usize) -> Self {
        Self { capacity: Capacity::new(entries, bytes), queue: Mutex::default(), worker: AtomicWaker::new() }
    }

    /// Queues a delivery, or marks its channel dirty. Wakes the worker only if the mailbox was empty.
    pub fn deliver(&self, channel: &ChannelName, delivery: Delivery) {
        if self.enqueue(channel, delivery) {
            self.wake();
        }
    }

    /// Queues any other post. Returns false if there is no room. Control posts have a capacity of their own.
    pub fn post(&self, post: Post) -> bool {
        let (accepted, was_empty) = {
            let mut queue = lock(&self.queue);
            let was_empty = queue.is_empty();
            (queue.post(self.capacity, post), was_empty)
        };
        if accepted && was_empty {
            self.wake();
        }
        accepted
    }

    /// Moves all posts into `into`, which must be empty. Pending while there are none.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Vec<Post>) -> Poll<()> {
        if self.take(into) {
            return Poll::Ready(());
        }
        self.worker.register(cx.waker());
        // A producer may have come before the registration, with no waker to wake.
        if self.take(into) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Number of waiting posts, and of dropped ones since the start.
    pub fn stats(&self) -> MailboxStats {
        lock(&self.queue).stats()
    }

    /// Like [`Self::deliver`] without the wake, for callers that hold a lock. Returns whether the caller must call [`Self::wake`].
    pub(in crate::broker) fn enqueue(&self, channel: &ChannelName, delivery: Delivery) -> bool {
        let mut queue = lock(&self.queue);
        let was_empty = queue.is_empty();
        queue.deliver(self.capacity, channel, delivery);
        was_empty
    }

    /// Wakes the worker.
    pub(in crate::broker) fn wake(&self) {
        self.worker.wake();
    }

    fn take(&self, into: &mut Vec<Post>) -> bool {
        debug_assert!(into.is_empty(), "the worker must pass an empty buffer");
        lock(&self.queue).take(into)
    }
}
