//! Ended subscriptions whose clients have to subscribe again.

use crate::hub::keys::ChannelKey;
use gateway_core::model::Tick;
use std::{cell::RefCell, collections::VecDeque};
use tokio::sync::Notify;

/// An ended subscription, which receives no more deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resubscribe {
    /// The connection's index.
    pub(crate) connection: u32,
    pub(crate) local_channel: ChannelKey,
    /// The number of the channel, which a later channel with the same key does not have.
    pub(crate) channel_number: u64,
}

/// Ended subscriptions, in two queues. Each ended subscription is in exactly one of them, which bounds both.
/// [`crate::hub::state::local_channel::LocalChannel::awaiting_resubscribe`] counts those of one channel.
#[derive(Default)]
pub(crate) struct ResubscribeQueue {
    /// The client has not received the request yet.
    pub(crate) waiting: RefCell<VecDeque<Resubscribe>>,
    /// The client has received the request, and has until the deadline to return.
    pub(crate) expected: RefCell<VecDeque<(Tick, Resubscribe)>>,
    pub(crate) changed: Notify,
}

impl ResubscribeQueue {
    pub(crate) fn extend(&self, ended: impl IntoIterator<Item = Resubscribe>) {
        self.waiting.borrow_mut().extend(ended);
        self.changed.notify_one();
    }

    pub(crate) fn next(&self) -> Option<Resubscribe> {
        self.waiting.borrow_mut().pop_front()
    }

    /// Removes one expected subscription whose deadline has passed.
    pub(crate) fn next_expired(&self, now: Tick) -> Option<Resubscribe> {
        self.expected.borrow_mut().pop_front_if(|(deadline, _)| *deadline <= now).map(|(_, resubscribe)| resubscribe)
    }
}
