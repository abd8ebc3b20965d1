//! Presence, joins and leaves. One task writes them to the broker in the order in which they happened. A connection that leaves and returns at
//! once is therefore present at the end.

use super::{hub::Hub, state::queues::presence_queue::PresenceChange};
use crate::{
    broker::{Announcement, BrokerError},
    telemetry::{DropCause, FailureLog},
};
use gateway_core::model::{ChannelName, ClientInfo};
use std::{rc::Rc, sync::Arc};
use tokio::sync::oneshot;

impl Hub {
    /// Adds a connection to the presence of a channel and announces the join. Completes once the broker has both.
    pub async fn add_presence(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        let (done, added) = oneshot::channel();
        self.presence_queue.queue.borrow_mut().push_back((channel.clone(), info, PresenceChange::Add(done)));
        self.presence_queue.changed.notify_one();
        added.await.unwrap_or_else(|_| Err(BrokerError::Unavailable("the worker has ended".into())))
    }

    /// Writes presence changes to the broker. Never returns.
    pub(crate) async fn write_presence(self: Rc<Self>) {
        loop {
            let next = self.presence_queue.queue.borrow_mut().pop_front();
            match next {
                None => {
                    self.presence_queue.queue.borrow_mut().shrink_to(64);
                    self.presence_queue.changed.notified().await;
                }
                Some((channel, info, PresenceChange::Add(done))) => {
                    let added = self.change(&channel, Announcement::Join(info)).await;
                    // The receiver is gone if the connection has ended. Its removal then follows in this queue.
                    let _ = done.send(added);
                }
                Some((channel, info, PresenceChange::Remove)) => self.change_with_retry(&channel, Announcement::Leave(info)).await,
                Some((channel, info, PresenceChange::Restore)) => self.change_with_retry(&channel, Announcement::Join(info)).await,
            }
        }
    }

    async fn change_with_retry(&self, channel: &ChannelName, announcement: Announcement) {
        let mut failures = FailureLog::default();
        while let Err(error) = self.change(channel, announcement.clone()).await {
            failures.failed(|| tracing::warn!(%channel, %error, "cannot write a presence change; the worker retries until it succeeds"));
            tokio::time::sleep(self.retry()).await;
        }
    }

    /// Writes the presence of all connections again.
    pub(crate) fn restore_presence(&self) {
        let state = self.state.borrow();
        let all = state.connections.iter().flat_map(|(_, entry)| &entry.subscriptions);
        let present = all.filter_map(|subscription| {
            let local_channel =
                state.local_channels.get(subscription.local_channel.index()).filter(|local_channel| local_channel.options.presence)?;
            Some((local_channel.name.clone(), subscription.info.clone()?, PresenceChange::Restore))
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
            self.parts.reads.presence().changed(channel);
        }
        if !options.join_leave {
            return Ok(());
        }
        let count = if options.presence { broker.presence_stats(channel).await?.clients } else { self.members(channel) };
        if count > self.parts.limits.join_leave_max {
            self.parts.metrics.dropped(DropCause::JoinLeaveSuppressed, 1);
            return Ok(());
        }
        broker.announce(channel, announcement).await
    }

    pub(crate) fn members(&self, channel: &ChannelName) -> usize {
        let state = self.state.borrow();
        state
            .channels
            .get(channel)
            .and_then(|key| state.local_channels.get(key.index()))
            .map_or(0, |local_channel| local_channel.members.len())
    }
}
