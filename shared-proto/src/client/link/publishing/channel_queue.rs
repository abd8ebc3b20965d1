//! One channel's queue of publications.

use super::Expired;
use crate::link::Publish;
use std::collections::VecDeque;
use tokio::time::Instant;

/// A publication and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting<W> {
    pub(super) publish: Publish,
    pub(super) deadline: Instant,
    pub(super) waiter: W,
}

/// Where the first publication of a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// To be sent as soon as a link has room.
    Ready,
    /// On a link, unanswered.
    Sent,
    /// Refused for now.
    Paused,
}

#[derive(Debug)]
pub(super) struct Lane<W> {
    queue: VecDeque<Waiting<W>>,
    pub(super) head: Head,
    /// Retryable refusals of the head in a row.
    pub(super) refusals: u32,
    /// Whether the head was on a link that was lost, or refused without certainty.
    pub(super) may_have_landed: bool,
}

impl<W> Default for Lane<W> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), head: Head::Ready, refusals: 0, may_have_landed: false }
    }
}

impl<W> Lane<W> {
    /// What is known of the head when its deadline passes.
    pub(super) fn fate(&self) -> Expired {
        if self.may_have_landed || self.head == Head::Sent { Expired::Unanswered } else { Expired::NeverTaken }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(&mut self, publish: Publish, deadline: Instant, waiter: W) {
        self.queue.push_back(Waiting { publish, deadline, waiter });
    }

    pub(super) fn front(&self) -> Option<&Waiting<W>> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Waiting<W>> {
        self.queue.pop_front()
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Waiting<W>> {
        let place = self.queue.iter().position(|entry| entry.publish.id == id)?;
        self.queue.remove(place)
    }
}
