//! The mailbox of one worker.

use super::{
    entry::{Delivery, MailboxEntry},
    queue::{Capacity, Queue},
    stats::MailboxStats,
};
use futures_util::task::AtomicWaker;
use gateway_core::model::{ChannelName, lock};
use std::{
    sync::Mutex,
    task::{Context, Poll},
};

/// A bounded queue to one worker, which is its only consumer. A full mailbox drops deliveries. It reports each channel with dropped
/// deliveries once, as [`MailboxEntry::Dirty`], when the worker takes the entries.
///
/// The deliveries of a channel that the worker takes together have no gap: after the first dropped delivery, the mailbox drops all later
/// ones of that channel until the worker takes the entries. The dirty channels come after all deliveries.
pub struct Mailbox {
    capacity: Capacity,
    queue: Mutex<Queue>,
    worker: AtomicWaker,
}

impl Mailbox {
    /// A mailbox for at most `entries` deliveries with at most `bytes` bytes together. One channel may use a quarter of each. Two
    /// exceptions ensure that no delivery is too large forever: an empty mailbox accepts a delivery of any size, and the first delivery of
    /// a channel may exceed the quarter. Control entries take no room from deliveries. Their limits are a quarter of `entries`, but at
    /// least 64, and a quarter of `bytes`. At most `entries` dirty channels are reported by name; if there are more, all channels are
    /// reported as dirty.
    pub fn new(entries: usize, bytes: usize) -> Self {
        Self { capacity: Capacity::new(entries, bytes), queue: Mutex::default(), worker: AtomicWaker::new() }
    }

    /// Queues a delivery, or marks its channel as dirty if the delivery does not fit. Wakes the worker only if the mailbox was empty.
    pub fn deliver(&self, channel: &ChannelName, delivery: Delivery) {
        if self.enqueue(channel, delivery) {
            self.wake();
        }
    }

    /// Queues any entry. Returns false if a control entry does not fit. Control entries are all except deliveries and dirty channels; they
    /// have a capacity of their own.
    pub fn post(&self, entry: MailboxEntry) -> bool {
        let (accepted, was_empty) = {
            let mut queue = lock(&self.queue);
            let was_empty = queue.is_empty();
            (queue.post(self.capacity, entry), was_empty)
        };
        if accepted && was_empty {
            self.wake();
        }
        accepted
    }

    /// Moves all entries into `into`, which must be empty. Pending while there are no entries.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Vec<MailboxEntry>) -> Poll<()> {
        if self.take(into) {
            return Poll::Ready(());
        }
        self.worker.register(cx.waker());
        // A producer may have queued an entry before the waker was registered, so it woke nobody.
        if self.take(into) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Number of entries that wait, and of entries dropped since the start.
    pub fn stats(&self) -> MailboxStats {
        lock(&self.queue).stats()
    }

    /// Like [`Self::deliver`], but does not wake the worker. For callers that hold a lock. Returns whether the caller must call
    /// [`Self::wake`].
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

    fn take(&self, into: &mut Vec<MailboxEntry>) -> bool {
        debug_assert!(into.is_empty(), "the worker must pass an empty buffer");
        lock(&self.queue).take(into)
    }
}
