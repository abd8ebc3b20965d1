//! The queue of one channel's publications.

use crate::link::Publish;
use std::collections::VecDeque;
use tokio::time::Instant;

/// A queued publication and the receiver of its outcome.
#[derive(Debug)]
pub(super) struct Entry<W> {
    pub(super) publish: Publish,
    pub(super) deadline: Instant,
    pub(super) waiter: W,
}

/// The state of the first publication of a channel, its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadState {
    /// It is sent as soon as a link has room.
    Ready,
    /// Sent and not answered.
    Sent,
    /// Refused temporarily. It is sent again after a pause.
    Paused,
}

/// What is known about a publication whose deadline passed without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// No node can have stored it: it was not sent, or each node that got it refused it.
    NotDone,
    /// It was sent and not answered, so a node may have stored it.
    Unknown,
}

#[derive(Debug)]
pub(super) struct ChannelQueue<W> {
    entries: VecDeque<Entry<W>>,
    pub(super) head: HeadState,
    /// Consecutive temporary refusals of the head.
    pub(super) refusals: u32,
    /// Whether the head may be stored although no node acknowledged it: its link was lost, or a node answered "unknown".
    pub(super) may_be_stored: bool,
}

impl<W> Default for ChannelQueue<W> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), head: HeadState::Ready, refusals: 0, may_be_stored: false }
    }
}

impl<W> ChannelQueue<W> {
    /// What is known about the head when its deadline passes.
    pub(super) fn head_expiry(&self) -> Expiry {
        if self.may_be_stored || self.head == HeadState::Sent { Expiry::Unknown } else { Expiry::NotDone }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn push(&mut self, publish: Publish, deadline: Instant, waiter: W) {
        self.entries.push_back(Entry { publish, deadline, waiter });
    }

    pub(super) fn front(&self) -> Option<&Entry<W>> {
        self.entries.front()
    }

    pub(super) fn pop(&mut self) -> Option<Entry<W>> {
        self.entries.pop_front()
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Entry<W>> {
        let index = self.entries.iter().position(|entry| entry.publish.id == id)?;
        self.entries.remove(index)
    }
}
