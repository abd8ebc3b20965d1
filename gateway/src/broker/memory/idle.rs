//! What is remembered of channels that hold nothing and that nobody is in.

use gateway_core::model::{ChannelName, Position, Tick, lock};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

/// Positions of idle channels, so that they go on where they were. Bounded: the longest idle are forgotten first.
#[derive(Debug)]
pub(super) struct IdleChannels {
    bound: usize,
    ttl: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// A tree, since a hash table of which entries come and go for good doubles in size for what it has deleted.
    channels: BTreeMap<ChannelName, Idle>,
    /// By the time at which they became idle.
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
    /// Remembers up to `bound` channels for `ttl` each, or for as long as their history is kept if that is longer.
    pub(super) fn new(bound: usize, ttl: Duration) -> Self {
        Self { bound, ttl, inner: Mutex::default() }
    }

    /// Remembers a channel.
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

    /// Takes a channel out, because it is idle no more.
    pub(super) fn take(&self, name: &ChannelName, now: Tick) -> Option<Position> {
        lock(&self.inner).remove(name).filter(|idle| now < idle.until).map(|idle| idle.position)
    }

    /// Forgets those whose time has passed.
    pub(super) fn sweep(&self, now: Tick) {
        let mut inner = lock(&self.inner);
        while inner.oldest().is_some_and(|idle| idle.until <= now) {
            inner.remove_oldest();
        }
    }

    /// How many are remembered, and how many had to be forgotten early.
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
