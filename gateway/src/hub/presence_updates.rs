//! Presence, joins and leaves. One task carries them to the broker in the order in which they happened, so that a connection that
//! leaves and comes back at once ends up present.

use super::{hub::Hub, state::presence_queue::Change};
use crate::{
    broker::{Announcement, BrokerError},
    telemetry::{DropCause, FailureLog},
};
use gateway_core::model::{ChannelName, ClientInfo};
use std::{rc::Rc, sync::Arc};
use tokio::sync::oneshot;

impl Hub {
    /// Makes a connection present in a channel and tells the others; resolves when the broker has it.
    pub async fn arrive(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        let (done, arrived) = oneshot::channel();
        self.presence_queue.queue.borrow_mut().push_back((channel.clone(), info, Change::Arrive(done)));
        self.presence_queue.changed.notify_one();
        arrived.await.unwrap_or_else(|_| Err(BrokerError::Unavailable("the worker has ended".into())))
    }

    /// Carries changes to the broker, for good.
    pub(crate) async fn write_presence(self: Rc<Self>) {
        loop {
            let next = self.presence_queue.queue.borrow_mut().pop_front();
            match next {
                None => {
                    self.presence_queue.queue.borrow_mut().shrink_to(64);
                    self.presence_queue.changed.notified().await;
                }
                Some((channel, info, Change::Arrive(done))) => {
                    let arrived = self.change(&channel, Announcement::Join(info)).await;
                    // Nobody waits for it if the connection has ended; its departure follows in this queue.
                    let _ = done.send(arrived);
                }
                Some((channel, info, Change::Depart)) => self.change_for_sure(&channel, Announcement::Leave(info)).await,
                Some((channel, info, Change::Again)) => self.change_for_sure(&channel, Announcement::Join(info)).await,
            }
        }
    }

    async fn change_for_sure(&self, channel: &ChannelName, announcement: Announcement) {
        let mut failures = FailureLog::default();
        while let Err(error) = self.change(channel, announcement.clone()).await {
            failures
                .failed(|| tracing::warn!(%channel, %error, "a presence change cannot be published yet; the worker tries until it can"));
            tokio::time::sleep(self.retry()).await;
        }
    }

    /// Says again who is present.
    pub(crate) fn present_again(&self) {
        let state = self.state.borrow();
        let all = state.connections.iter().flat_map(|(_, entry)| &entry.subscriptions);
        let present = all.filter_map(|subscription| {
            let slot = state.slots.get(subscription.slot.index()).filter(|slot| slot.options.presence)?;
            Some((slot.name.clone(), subscription.info.clone()?, Change::Again))
        });
        self.presence_queue.queue.borrow_mut().extend(present);
        self.presence_queue.changed.notify_one();
    }

    async fn change(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        let Some(options) = self.parts.namespaces.options(channel) else { return Ok(()) };
        let broker = &self.parts.broker;
        if options.presence {
            match &announcement {
                Announcement::Join(info) => broker.presence_add(channel, info.clone()).await?,
                Announcement::Leave(info) => broker.presence_remove(channel, info.client).await?,
            }
        }
        if !options.join_leave {
            return Ok(());
        }
        let crowd = if options.presence { broker.presence_stats(channel).await?.clients } else { self.members(channel) };
        if crowd > self.parts.limits.join_leave_max {
            self.parts.metrics.dropped(DropCause::JoinLeaveSuppressed, 1);
            return Ok(());
        }
        broker.announce(channel, announcement).await
    }

    pub(crate) fn members(&self, channel: &ChannelName) -> usize {
        let state = self.state.borrow();
        state.channels.get(channel).and_then(|key| state.slots.get(key.index())).map_or(0, |slot| slot.members.len())
    }
}
