//! Changes of presence that wait for the broker.

use crate::broker::BrokerError;
use gateway_core::model::{ChannelName, ClientInfo};
use std::{cell::RefCell, collections::VecDeque, sync::Arc};
use tokio::sync::{Notify, oneshot};

/// Arrivals and departures that wait. A subscription has at most one of each here, which bounds the queue.
#[derive(Default)]
pub(crate) struct PresenceQueue {
    pub(crate) queue: RefCell<VecDeque<(ChannelName, Arc<ClientInfo>, Change)>>,
    pub(crate) changed: Notify,
}

pub(crate) enum Change {
    Arrive(oneshot::Sender<Result<(), BrokerError>>),
    Depart,
    /// Present all along; the broker has forgotten it.
    Again,
}

impl PresenceQueue {
    pub(crate) fn depart(&self, channel: ChannelName, info: Arc<ClientInfo>) {
        self.queue.borrow_mut().push_back((channel, info, Change::Depart));
        self.changed.notify_one();
    }
}
