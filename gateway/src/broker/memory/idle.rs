//! Positions of idle channels. A channel is idle if it has no subscribers, no publications and no presence.

use gateway_core::model::{ChannelName, Position, Tick, lock};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

/// Positions of idle channels, so that a channel continues at its last offset. Limited in number: the channels that have been idle longest
/// are deleted first.
#[derive(Debug)]
pub(super) struct IdleChannels {
    bound: usize,
    ttl: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// A tree, because a hash table with many inserts and removals would double its size for deleted entries.
    channels: BTreeMap<ChannelName, Idle>,
    /// The names of `channels`, in the order in which they became idle.
    order: BTreeMap<u64, ChannelName>,
    next: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Idle {
    position: Position,
    until: Tick,
    place: u64,
}

impl IdleChannels {
    /// Stores the positions of at most `bound` channels, each for the time `ttl` or for the `ttl` of its history, whichever is longer.
    pub(super) fn new(bound: usize, ttl: Duration) -> Self {
        Self { bound, ttl, inner: Mutex::default() }
    }

    /// Adds a channel.
    pub(super) fn put(&self, name: ChannelName, position: Position, history_ttl: Duration, now: Tick) {
        let until = now.after(self.ttl.max(history_ttl));
        let mut inner = lock(&self.inner);
        inner.remove(&name);
        inner.insert(name, position, until);
        if inner.channels.len() > self.bound {
            inner.remove_oldest();
            inner.evicted += 1;
        }
    }

    /// The position of a channel.
    pub(super) fn get(&self, name: &ChannelName, now: Tick) -> Option<Position> {
        lock(&self.inner).channels.get(name).filter(|idle| now < idle.until).map(|idle| idle.position)
    }

    /// Removes a channel, because it is active again.
    pub(super) fn take(&self, name: &ChannelName, now: Tick) -> Option<Position> {
        lock(&self.inner).remove(name).filter(|idle| now < idle.until).map(|idle| idle.position)
    }

    /// Removes expired channels.
    pub(super) fn sweep(&self, now: Tick) {
        let mut inner = lock(&self.inner);
        while inner.oldest().is_some_and(|idle| idle.until <= now) {
            inner.remove_oldest();
        }
    }

    /// Number of channels, and number of positions that were deleted before their expiry.
    pub(super) fn stats(&self) -> (usize, u64) {
        let inner = lock(&self.inner);
        (inner.channels.len(), inner.evicted)
    }
}

impl Inner {
    fn insert(&mut self, name: ChannelName, position: Position, until: Tick) {
        let place = self.next;
        self.next += 1;
        self.order.insert(place, name.clone());
        self.channels.insert(name, Idle { position, until, place });
    }

    fn remove(&mut self, name: &ChannelName) -> Option<Idle> {
        let idle = self.channels.remove(name)?;
        self.order.remove(&idle.place);
        Some(idle)
    }

    fn oldest(&self) -> Option<&Idle> {
        self.order.first_key_value().and_then(|(_, name)| self.channels.get(name))
    }

    fn remove_oldest(&mut self) {
        if let Some((_, name)) = self.order.pop_first() {
            self.channels.remove(&name);
        }
    }
}
