//! Presence changes that the hub has not written to the broker yet.

use crate::broker::BrokerError;
use gateway_core::model::{ChannelName, ClientInfo};
use std::{cell::RefCell, collections::VecDeque, sync::Arc};
use tokio::sync::{Notify, oneshot};

/// Presence changes, oldest first. A subscription has at most one of each kind in the queue, which bounds it.
#[derive(Default)]
pub(crate) struct PresenceQueue {
    pub(crate) queue: RefCell<VecDeque<(ChannelName, Arc<ClientInfo>, PresenceChange)>>,
    pub(crate) changed: Notify,
}

pub(crate) enum PresenceChange {
    Add(oneshot::Sender<Result<(), BrokerError>>),
    Remove,
    /// The broker has lost the entry of a present connection.
    Restore,
}

impl PresenceQueue {
    pub(crate) fn remove(&self, channel: ChannelName, info: Arc<ClientInfo>) {
        self.queue.borrow_mut().push_back((channel, info, PresenceChange::Remove));
        self.changed.notify_one();
    }
}
