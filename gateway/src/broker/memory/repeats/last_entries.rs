//! What all channels remember of ingest.

use gateway_core::{
    model::{ChannelName, Tick},
    queue::{EntryPlace, LastEntry},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A channel, and a partition of ingest.
type Key = (ChannelName, u16);

/// The records of all channels. Limited in number: those that end first are forgotten first.
#[derive(Debug)]
pub(super) struct LastEntries {
    ttl: Duration,
    bound: usize,
    records: BTreeMap<Key, (LastEntry, Tick)>,
    ends: BTreeSet<(Tick, Key)>,
}

impl LastEntries {
    /// Remembers at most `bound` records, each for the time `ttl` or for the `ttl` of the channel's history, whichever is longer.
    pub(super) fn new(ttl: Duration, bound: usize) -> Self {
        Self { ttl, bound, records: BTreeMap::new(), ends: BTreeSet::new() }
    }

    pub(super) fn known(&self, channel: &ChannelName, partition: u16, now: Tick) -> Option<LastEntry> {
        self.records.get(&(channel.clone(), partition)).filter(|(_, until)| now < *until).map(|(record, _)| *record)
    }

    /// Records an entry that was carried out or passed.
    pub(super) fn record(&mut self, channel: &ChannelName, place: &EntryPlace, history_ttl: Duration, now: Tick) {
        let record = place.record(self.known(channel, place.partition, now));
        let (key, until) = ((channel.clone(), place.partition), now.after(self.ttl.max(history_ttl)));
        if let Some((_, before)) = self.records.insert(key.clone(), (record, until)) {
            self.ends.remove(&(before, key.clone()));
        }
        self.ends.insert((until, key));
        while self.records.len() > self.bound
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.records.remove(&key);
        }
    }

    /// Removes what has expired.
    pub(super) fn sweep(&mut self, now: Tick) {
        while self.ends.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.records.remove(&key);
        }
    }
}
