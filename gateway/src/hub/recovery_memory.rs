//! What a worker keeps for clients that return soon, so that they need no read of a history: the newest publications of each channel, and the
//! channel itself after its last subscriber has left.
//!
//! When a proxy is reloaded, all clients of a channel are gone for a moment, and then all of them return.

use super::{
    hub::Hub,
    keys::ChannelKey,
    state::{table::State, wheel::BUCKET_MS},
};
use crate::telemetry::{Count, Level};
use gateway_core::{
    channel::recovery::SubscriptionStart,
    model::{ChannelName, PageLimit, Publication, RecoverFrom},
};
use std::{sync::Arc, time::Duration};

impl Hub {
    // NL-1.4
    /// Starts a subscription from this worker's memory, without a history read. `None` if this worker does not keep all missing
    /// publications, or if they exceed `limit`.
    ///
    /// Afterwards the client has the same publications as the live subscribers of the channel, and receives the next ones together with
    /// them.
    pub fn recover_from_memory(&self, channel: &ChannelName, recover: &RecoverFrom, limit: PageLimit) -> Option<SubscriptionStart> {
        let start = {
            let state = self.state.borrow();
            let local_channel = state.channels.get(channel).and_then(|key| state.local_channels.get(key.index()))?;
            let answer = local_channel.feed.in_current_epoch(recover.position()?)?;
            let publications = local_channel.recent_after(answer.offset, limit)?;
            SubscriptionStart::from_memory(answer, publications)
        };
        self.parts.metrics.count(Count::RecoveriesFromMemory, 1);
        Some(start)
    }

    /// Queues a publication for the members of a channel, and keeps it for clients that attach or return.
    pub(super) fn deliver_to(&self, state: &mut State, key: ChannelKey, publication: Arc<Publication>) {
        let (now, limits) = (self.now(), &self.parts.limits);
        let Some(local_channel) = state.local_channel(key) else { return };
        let before = local_channel.pending.len();
        local_channel.deliver(publication, now, limits);
        let added = local_channel.pending.len() - before;
        let forget_at = local_channel.recent.oldest().map(|_| now.after(local_channel.recent_time(limits.memory.time)));
        state.pending += added;
        if let Some(at) = forget_at {
            state.wake_channel_at(at, key);
        }
    }

    /// Removes a channel that no subscription of this worker needs: at once, or later if clients may return to it. Returns its name if it was
    /// removed.
    pub(super) fn release_if_unused(&self, state: &mut State, key: ChannelKey) -> Option<ChannelName> {
        let (now, memory) = (self.now(), &self.parts.limits.memory);
        let has_place = state.unused_channels < memory.channels;
        let local_channel = state.local_channel(key).filter(|it| it.is_unused() && it.unused_since.is_none())?;
        let removed = if has_place && !memory.time.is_zero() && local_channel.feed.position().is_some() {
            local_channel.unused_since = Some(now);
            state.unused_channels += 1;
            state.wake_channel_at(now.after(memory.time), key);
            None
        } else {
            state.remove_channel(key)
        };
        self.count_channels(state);
        removed
    }

    /// Removes a channel that is kept only for clients that may return. Returns whether it was one.
    pub(super) fn drop_unused(&self, key: ChannelKey) -> bool {
        let removed = {
            let mut state = self.state.borrow_mut();
            let is_unused = state.local_channel(key).is_some_and(|it| it.unused_since.is_some());
            let removed = is_unused.then(|| state.remove_channel(key)).flatten();
            self.count_channels(&state);
            removed
        };
        if let Some(channel) = &removed {
            self.parts.broker.unsubscribe(channel, self.parts.worker);
        }
        removed.is_some()
    }

    /// Forgets what has been kept for long enough.
    pub(super) fn forget_old(&self) {
        let mut due = Vec::new();
        if let Some(wheel) = &mut self.state.borrow_mut().channel_wheel {
            wheel.due(self.now(), |key| due.push(key));
        }
        for (key, number) in due {
            let removed = self.forget_old_of(&mut self.state.borrow_mut(), key, number);
            if let Some(channel) = removed {
                self.parts.broker.unsubscribe(&channel, self.parts.worker);
            }
        }
    }

    /// Returns the channel's name if it was removed.
    fn forget_old_of(&self, state: &mut State, key: ChannelKey, number: u64) -> Option<ChannelName> {
        let (now, time) = (self.now(), self.parts.limits.memory.time);
        let local_channel = state.local_channel(key).filter(|it| it.number == number)?;
        local_channel.has_wake_up = false;
        if local_channel.unused_since.is_some_and(|since| now.since(since) >= time) {
            let removed = state.remove_channel(key);
            self.count_channels(state);
            return removed;
        }
        local_channel.forget_recent(now, time);
        let forget_at = local_channel.recent.oldest().map(|oldest| oldest.after(local_channel.recent_time(time)));
        let remove_at = local_channel.unused_since.map(|since| since.after(time));
        let next = forget_at.into_iter().chain(remove_at).min()?;
        state.wake_channel_at(next.max(now.after(Duration::from_millis(BUCKET_MS))), key);
        None
    }

    /// Updates the number of channels with subscribers.
    pub(super) fn count_channels(&self, state: &State) {
        self.parts.metrics.set(Level::ChannelsOpen, (state.channels.len() - state.unused_channels) as u64);
    }
}
