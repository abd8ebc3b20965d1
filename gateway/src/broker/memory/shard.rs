//! A shard: some of the channels, under one lock.

use super::{
    idle::IdleChannels,
    presence::Presence,
    stream::{Held, Stream, empty_page},
};
use crate::broker::{ChannelSummary, Trimmed};
use gateway_core::model::{
    ChannelName, ConnectionId, Epoch, Page, PageLimit, Position, Publication, ReadRange, Retention, Tick, WorkerId, WorkerSet,
};
use slab::Slab;
use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

/// The index of a channel in [`Shard::channels`].
type Index = usize;

/// Channels by name. A channel is here while it has subscribers, publications or presence. After that, only its position is stored, in
/// [`IdleChannels`].
#[derive(Debug, Default)]
pub(super) struct Shard {
    names: HashMap<ChannelName, Index, foldhash::fast::RandomState>,
    channels: Slab<Channel>,
    /// When to check each channel with publications for expiry: never later than its history expires. A publish does not postpone the
    /// check, so most publishes need no change here.
    timers: BTreeSet<(Tick, Index)>,
    held: Held,
    trimmed: Trimmed,
    /// Where the next search for publications to trim begins.
    next_candidate: (Tick, Index),
}

#[derive(Debug)]
struct Channel {
    name: ChannelName,
    workers: WorkerSet,
    stream: Option<Box<Stream>>,
    presence: Option<Box<Presence>>,
}

impl Channel {
    fn is_vacant(&self) -> bool {
        self.workers.is_empty() && self.presence.is_none() && self.stream.as_ref().is_none_or(|stream| stream.is_empty())
    }
}

impl Shard {
    /// Number of streams that one search compares to find a large one.
    const CANDIDATES: usize = 8;
    /// A table with at most this capacity is not shrunk.
    const SMALL: usize = 1024;

    pub(super) fn held(&self) -> Held {
        self.held
    }

    pub(super) fn trimmed(&self) -> Trimmed {
        self.trimmed
    }

    pub(super) fn channels(&self) -> usize {
        self.channels.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.names.capacity()
    }

    /// The workers that subscribe to a channel, and the name that all its deliveries share.
    pub(super) fn subscribers(&self, name: &ChannelName) -> Option<(&ChannelName, WorkerSet)> {
        self.names.get(name).map(|index| &self.channels[*index]).map(|channel| (&channel.name, channel.workers))
    }

    pub(super) fn subscribe(&mut self, name: &ChannelName, worker: WorkerId) {
        let index = self.index_or_new(name);
        self.channels[index].workers.insert(worker);
    }

    pub(super) fn unsubscribe(&mut self, name: &ChannelName, worker: WorkerId, now: Tick, idle: &IdleChannels) {
        if let Some(&index) = self.names.get(name)
            && self.channels[index].workers.remove(worker)
        {
            self.update(index, now, idle);
        }
    }

    /// The offset of the channel's newest publication. 0 if its position is not known.
    pub(super) fn top(&self, name: &ChannelName, now: Tick, idle: &IdleChannels) -> u64 {
        let stream = self.names.get(name).and_then(|index| self.channels[*index].stream.as_deref());
        let position = stream.map(Stream::position).or_else(|| idle.get(name, now));
        position.map_or(0, |position| position.offset)
    }

    /// Gives a publication its position and stores it.
    pub(super) fn append(
        &mut self,
        name: &ChannelName,
        mut publication: Publication,
        retention: Retention,
        now: Tick,
        idle: &IdleChannels,
    ) -> (Position, Arc<Publication>) {
        let index = self.index_or_new(name);
        let stream = self.stream(index, retention, now, idle);
        let position = stream.next();
        publication.position = Some(position);
        let publication = Arc::new(publication);
        let before = stream.held();
        let removed = stream.append(Arc::clone(&publication), retention, now);
        let after = stream.held();
        self.held.replace(before, after);
        self.trimmed.size += removed as u64;
        self.track(index, now);
        (position, publication)
    }

    pub(super) fn read(
        &mut self,
        name: &ChannelName,
        retention: Retention,
        range: ReadRange,
        limit: PageLimit,
        now: Tick,
        idle: &IdleChannels,
    ) -> Page {
        let Some(&index) = self.names.get(name) else {
            // A read of an idle channel counts as use of its position.
            let position = recall(name, now, idle);
            idle.put(name.clone(), position, retention.ttl, now);
            return empty_page(position);
        };
        let page = self.stream(index, retention, now, idle).page(range, limit);
        self.update(index, now, idle);
        page
    }

    pub(super) fn clear(&mut self, name: &ChannelName, now: Tick, idle: &IdleChannels) {
        if let Some(&index) = self.names.get(name) {
            self.trimmed.cleared += self.drop_some(index, Stream::clear);
            self.update(index, now, idle);
        }
    }

    /// The presence in a channel, if anyone is present.
    pub(super) fn presence(&self, name: &ChannelName) -> Option<&Presence> {
        self.names.get(name).and_then(|index| self.channels[*index].presence.as_deref())
    }

    pub(super) fn presence_mut(&mut self, name: &ChannelName) -> &mut Presence {
        let index = self.index_or_new(name);
        self.channels[index].presence.get_or_insert_default()
    }

    pub(super) fn presence_remove(&mut self, name: &ChannelName, connection: ConnectionId, now: Tick, idle: &IdleChannels) {
        let Some(&index) = self.names.get(name) else { return };
        let presence = &mut self.channels[index].presence;
        if let Some(present) = presence {
            present.remove(connection);
            presence.take_if(|present| present.is_empty());
            self.update(index, now, idle);
        }
    }

    /// Active channels that satisfy `admits`.
    pub(super) fn summaries(&self, now: Tick, admits: impl Fn(&ChannelName) -> bool) -> Vec<ChannelSummary> {
        let summary = |channel: &Channel| {
            let stream = channel.stream.as_deref();
            let held = stream.filter(|stream| now < stream.expires()).map_or(0, |stream| stream.held().publications);
            let active = held > 0 || !channel.workers.is_empty();
            active.then(|| ChannelSummary { name: channel.name.clone(), position: stream.map(Stream::position), held })
        };
        self.channels.iter().map(|(_, channel)| channel).filter(|channel| admits(&channel.name)).filter_map(summary).collect()
    }

    /// Removes at most `batch` expired histories. Returns whether more have expired.
    pub(super) fn sweep(&mut self, now: Tick, batch: usize, idle: &IdleChannels) -> bool {
        for _ in 0..batch {
            let Some(&(at, index)) = self.timers.first() else { break };
            if at > now {
                break;
            }
            self.expire(index, now);
            self.update(index, now, idle);
        }
        self.shrink();
        self.timers.first().is_some_and(|(at, _)| *at <= now)
    }

    /// Trims the oldest publications of a large stream, to free at least `bytes` if the stream has so many. Returns false if this shard has
    /// no publications.
    pub(super) fn reclaim(&mut self, bytes: usize, now: Tick, idle: &IdleChannels) -> bool {
        let size = |index: Index| self.channels[index].stream.as_ref().map_or(0, |stream| stream.held().bytes);
        let behind = self.timers.range((Bound::Excluded(self.next_candidate), Bound::Unbounded));
        let candidates = behind.chain(self.timers.range(..=self.next_candidate)).take(Self::CANDIDATES);
        let (last, largest) = candidates.fold((None, None), |(_, largest), &timer| {
            let this = (size(timer.1), timer.1);
            (Some(timer), largest.max(Some(this)))
        });
        let (Some(next), Some((_, index))) = (last, largest) else { return false };
        self.next_candidate = next;
        self.trimmed.bytes += self.drop_some(index, |stream| stream.free(bytes));
        self.update(index, now, idle);
        true
    }

    fn index_or_new(&mut self, name: &ChannelName) -> Index {
        if let Some(&index) = self.names.get(name) {
            return index;
        }
        let channel = Channel { name: name.clone(), workers: WorkerSet::default(), stream: None, presence: None };
        let index = self.channels.insert(channel);
        self.names.insert(name.clone(), index);
        index
    }

    /// The channel's stream, after the removal of expired publications. A missing stream is created. It continues at the stored position of
    /// the idle channel, or begins a new epoch.
    fn stream(&mut self, index: Index, retention: Retention, now: Tick, idle: &IdleChannels) -> &mut Stream {
        self.expire(index, now);
        let Channel { name, stream, .. } = &mut self.channels[index];
        stream.get_or_insert_with(|| Box::new(Stream::new(recall(name, now, idle), retention.ttl)))
    }

    fn expire(&mut self, index: Index, now: Tick) {
        self.trimmed.expired += self.drop_some(index, |stream| stream.expire(now));
    }

    /// Removes publications from the channel's stream with `drop`, if it has a stream. Returns the number of removed publications.
    fn drop_some(&mut self, index: Index, drop: impl FnOnce(&mut Stream) -> usize) -> u64 {
        let Some(stream) = &mut self.channels[index].stream else { return 0 };
        let before = stream.held();
        let removed = drop(stream);
        self.held.replace(before, stream.held());
        removed as u64
    }

    /// Updates the timer of a channel, and removes the channel if it has become idle.
    fn update(&mut self, index: Index, now: Tick, idle: &IdleChannels) {
        self.track(index, now);
        if !self.channels[index].is_vacant() {
            return;
        }
        let Channel { name, stream, .. } = self.channels.remove(index);
        self.names.remove(&name);
        if let Some(stream) = stream {
            idle.put(name, stream.position(), stream.ttl(), now);
        }
    }

    /// Sets the channel's timer if its stream contains publications, and removes it otherwise.
    fn track(&mut self, index: Index, now: Tick) {
        let Some(stream) = &mut self.channels[index].stream else { return };
        let timer = match stream.timer {
            _ if stream.is_empty() => None,
            Some(timer) if timer > now && timer <= stream.expires() => return,
            _ => Some(stream.expires()),
        };
        if let Some(before) = std::mem::replace(&mut stream.timer, timer) {
            self.timers.remove(&(before, index));
        }
        if let Some(timer) = timer {
            self.timers.insert((timer, index));
        }
    }

    /// Frees memory of the tables after most channels were removed.
    fn shrink(&mut self) {
        let len = self.names.len();
        if self.names.capacity() > Self::SMALL && self.names.capacity() / 8 > len {
            self.names.shrink_to(2 * len);
            self.channels.shrink_to_fit();
        }
    }
}

/// The position of an idle channel, or the begin of a new epoch.
fn recall(name: &ChannelName, now: Tick, idle: &IdleChannels) -> Position {
    idle.take(name, now).unwrap_or_else(|| Position { epoch: Epoch::random(), offset: 0 })
}
