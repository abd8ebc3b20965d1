//! The producers of all channels.

use gateway_core::{
    channel::{Judgement, Producers},
    model::{ChannelName, ProducerNumber, Span, Tick},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The producers of all channels. Limited in number: those of the channel that was unused longest are forgotten first.
#[derive(Debug)]
pub(super) struct ProducersByChannel {
    ttl: Duration,
    bound: usize,
    channels: BTreeMap<ChannelName, Entry>,
    /// The names of `channels`, least recently used first.
    order: BTreeMap<u64, ChannelName>,
    /// When the producers of each channel expire, and the channel's place in `order`. It differs from the order of use, because histories
    /// differ in their lifetime.
    ends: BTreeSet<(Tick, u64)>,
    next_place: u64,
    len: usize,
    evicted: u64,
}

#[derive(Debug, Default)]
struct Entry {
    producers: Producers,
    until: Tick,
    place: u64,
}

impl ProducersByChannel {
    /// Remembers at most `bound` producers, each for the time `ttl` or for the `ttl` of the channel's history, whichever is longer.
    pub(super) fn new(ttl: Duration, bound: usize) -> Self {
        Self { ttl, bound, channels: BTreeMap::new(), order: BTreeMap::new(), ends: BTreeSet::new(), next_place: 0, len: 0, evicted: 0 }
    }

    /// Judges a number. `top` is the offset of the channel's newest publication.
    pub(super) fn judge(&self, channel: &ChannelName, number: &ProducerNumber, top: u64, now: Tick) -> Judgement {
        let known = self.channels.get(channel).filter(|entry| now < entry.until);
        known.map_or_else(|| Producers::default().judge(number, top), |entry| entry.producers.judge(number, top))
    }

    /// Records a publish that was carried out.
    pub(super) fn record(&mut self, channel: &ChannelName, number: &ProducerNumber, span: Span, history_ttl: Duration, now: Tick) {
        let mut entry = self.remove(channel).filter(|entry| now < entry.until).unwrap_or_default();
        entry.producers.record(number, span);
        entry.until = now.after(self.ttl.max(history_ttl));
        entry.place = self.next_place;
        self.next_place += 1;
        self.len += entry.producers.len();
        self.order.insert(entry.place, channel.clone());
        self.ends.insert((entry.until, entry.place));
        self.channels.insert(channel.clone(), entry);
        while self.len > self.bound && self.channels.len() > 1 {
            self.evicted += self.remove_oldest() as u64;
        }
    }

    /// Removes expired producers.
    pub(super) fn sweep(&mut self, now: Tick) {
        while let Some(&(until, place)) = self.ends.first()
            && until <= now
        {
            self.remove_at(place);
        }
    }

    /// Number of producers, and number of producers that were forgotten before their expiry.
    pub(super) fn stats(&self) -> (usize, u64) {
        (self.len, self.evicted)
    }

    /// Returns the number of removed producers.
    fn remove_oldest(&mut self) -> usize {
        self.order.first_key_value().map(|(place, _)| *place).map_or(0, |place| self.remove_at(place))
    }

    /// Removes the channel at this place in the order of use. Returns the number of removed producers.
    fn remove_at(&mut self, place: u64) -> usize {
        let name = self.order.get(&place).cloned();
        name.and_then(|name| self.remove(&name)).map_or(0, |entry| entry.producers.len())
    }

    fn remove(&mut self, channel: &ChannelName) -> Option<Entry> {
        let entry = self.channels.remove(channel)?;
        self.order.remove(&entry.place);
        self.ends.remove(&(entry.until, entry.place));
        self.len -= entry.producers.len();
        Some(entry)
    }
}
