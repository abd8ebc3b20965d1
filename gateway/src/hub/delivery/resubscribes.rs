//! Requests to clients to subscribe again.
//!
//! The worker sends these requests at a limited rate, because each one is work for this node, and also for the store if the channel has
//! presence. The channel stays open and keeps recent publications until the clients have had time to return.

use crate::hub::{
    hub::Hub,
    keys::ConnKey,
    output::outbox::Notice,
    state::{local_channel::MemberState, queues::resubscribe_queue::Resubscribe},
};
use gateway_core::model::ChannelName;
use std::{rc::Rc, time::Duration};
use tokio::time::{sleep, timeout};

/// Number of parts into which each second's requests are divided.
const PARTS: usize = 100;
/// Time for a client to subscribe again after the request.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

impl Hub {
    // NL-1.7
    /// Sends the queued requests at the configured rate. Never returns.
    pub(crate) async fn send_resubscribes(self: Rc<Self>) {
        let rate = self.parts.limits.resubscribes_per_second.max(1);
        let part = (rate / PARTS).max(1);
        loop {
            let now = self.now();
            while let Some(expired) = self.resubscribe_queue.next_expired(now) {
                self.stop_expecting(expired);
            }
            let mut sent = 0;
            while sent < part
                && let Some(next) = self.resubscribe_queue.next()
            {
                sent += usize::from(self.request_resubscribe(next));
            }
            let deadline = self.resubscribe_queue.expected.borrow().front().map(|(deadline, _)| deadline.since(now));
            match deadline {
                _ if sent > 0 => sleep(Duration::from_secs_f64(sent as f64 / rate as f64)).await,
                Some(left) => _ = timeout(left, self.resubscribe_queue.changed.notified()).await,
                None => {
                    self.resubscribe_queue.waiting.borrow_mut().shrink_to(PARTS);
                    self.resubscribe_queue.expected.borrow_mut().shrink_to(PARTS);
                    self.resubscribe_queue.changed.notified().await;
                }
            }
        }
    }

    /// Requests one client to subscribe again. Returns false if its subscription no longer exists.
    pub(crate) fn request_resubscribe(&self, resubscribe: Resubscribe) -> bool {
        let Resubscribe { connection, local_channel: key, channel_number } = resubscribe;
        self.resubscribe_queue.expected.borrow_mut().push_back((self.now().after(RETURN_TIMEOUT), resubscribe));
        let target = {
            let mut state = self.state.borrow_mut();
            let generation = state.connections.get(connection as usize).map(|entry| entry.generation);
            let member = generation.and_then(|generation| state.member(ConnKey { index: connection, generation }, key));
            let ended = member.is_some_and(|member| member.state == MemberState::Ended);
            let channel: Option<ChannelName> = state
                .local_channel(key)
                .filter(|local_channel| ended && local_channel.number == channel_number)
                .map(|local_channel| local_channel.name.clone());
            channel.zip(state.connections.get(connection as usize).map(|entry| entry.outbox.clone()))
        };
        let Some((channel, outbox)) = target else { return false };
        outbox.notify(Notice::PublicationsLost(channel));
        true
    }

    /// Stops expecting a client to return, because it has returned or its time is over.
    fn stop_expecting(&self, Resubscribe { local_channel: key, channel_number, .. }: Resubscribe) {
        let removed = {
            let mut state = self.state.borrow_mut();
            let Some(local_channel) = state.local_channel(key).filter(|local_channel| local_channel.number == channel_number) else {
                return;
            };
            local_channel.awaiting_resubscribe -= 1;
            self.release_if_unused(&mut state, key)
        };
        if let Some(channel) = removed {
            self.parts.broker.unsubscribe(&channel, self.parts.worker);
        }
    }
}
