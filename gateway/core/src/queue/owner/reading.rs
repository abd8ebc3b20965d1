//! What the owner reads next.

use super::{
    backlog::Backlog,
    interface::{Content, Read, ReadEntry},
    limits::READ,
    state::{Chain, Loaded, Loads, Phase, Stopped, UnderWay},
};
use crate::{
    model::Tick,
    queue::{DeadReason, EntryId, ReadLimits},
};
use std::time::Duration;

/// How often the owner looks which key has most entries, while it waits because of keys.
const LOOK: Duration = Duration::from_secs(10);

impl<P: Clone> Backlog<P> {
    /// What to read now. One read at a time: call [`Self::read`] or [`Self::read_failed`] before the next one.
    pub fn next_read(&mut self, now: Tick) -> Option<Read> {
        if self.reading.under_way.is_some() || self.is_paused {
            return None;
        }
        let size = self.chains.size();
        let bytes = self.limits.window_bytes.saturating_sub(size.bytes);
        if bytes < self.limits.entry_bytes && size.loaded > 0 {
            return None;
        }
        let entry_bytes = self.limits.entry_bytes;
        let limits = |entries| ReadLimits { entries, bytes: bytes.max(1), entry_bytes };
        let window = self.limits.window.saturating_sub(size.loaded).min(READ);
        if window >= self.limits.least_read()
            && let Some(load) = self.load(window)
        {
            let ids: Vec<_> = load.iter().map(|(_, id)| *id).collect();
            self.set_loads(&load, Loads::UnderWay);
            self.reading.under_way = Some(UnderWay::Load(load));
            return Some(Read::Load { limits: limits(ids.len()), ids });
        }
        let known = (self.limits.window + self.limits.blocked_ids).saturating_sub(size.loaded + size.ids);
        self.look_what_stops(known, now);
        let entries = window.min(known);
        if entries < self.limits.least_read() || self.unconfirmed > self.limits.window {
            return None;
        }
        let (under_way, read) = match self.reading.phase {
            Phase::Pending => (UnderWay::Pending, Read::Pending { after: self.reading.last, limits: limits(entries) }),
            Phase::New => (UnderWay::New, Read::New { limits: limits(entries) }),
            Phase::Idle => return None,
        };
        self.reading.under_way = Some(under_way);
        Some(read)
    }

    /// Entries whose content is needed most, at most this number.
    fn load(&self, most: usize) -> Option<Vec<(usize, EntryId)>> {
        let of_one_key = self.limits.of_one_key();
        let mut load = Vec::new();
        for (at, chain) in self.chains.need_content() {
            let room = most - load.len();
            let each = of_one_key.saturating_sub(chain.size().loaded).min(room);
            load.extend(chain.unloaded(each).map(|id| (at, id)));
            if load.len() == most {
                break;
            }
        }
        Some(load).filter(|load| !load.is_empty())
    }

    fn look_what_stops(&mut self, room: usize, now: Tick) {
        if room >= self.limits.least_read() || self.reading.phase == Phase::Idle {
            self.reading.stopped = None;
        } else if self.reading.stopped.as_ref().is_none_or(|stopped| stopped.look_again <= now) {
            let key = self.chains.longest().map(Box::from);
            self.reading.stopped = key.map(|key| Stopped { key, look_again: now.after(LOOK) });
        }
    }

    /// The key with most entries, while the owner reads nothing more because it knows too many entries of keys that wait. Empty: an entry without a key.
    pub fn waits_for(&self) -> Option<&str> {
        self.reading.stopped.as_ref().map(|stopped| &*stopped.key)
    }

    /// The entries of a read.
    pub fn read(&mut self, entries: Vec<ReadEntry<P>>, now: Tick) {
        match self.reading.under_way.take() {
            None => {}
            Some(UnderWay::Load(load)) => self.loaded_content(load, entries, now),
            Some(UnderWay::Pending) if entries.is_empty() => self.reading.phase = Phase::New,
            Some(UnderWay::New) if entries.is_empty() => self.reading.phase = Phase::Idle,
            Some(UnderWay::Pending | UnderWay::New) => entries.into_iter().for_each(|entry| self.add(entry, now)),
        }
    }

    /// The store did not answer a read. It may have handed out entries as new that the owner does not know: they are pending now.
    pub fn read_failed(&mut self) {
        match self.reading.under_way.take() {
            Some(UnderWay::New) => self.reading.phase = Phase::Pending,
            Some(UnderWay::Load(load)) => self.set_loads(&load, Loads::Idle),
            Some(UnderWay::Pending) | None => {}
        }
    }

    /// The entry behind which new ones are expected, if there are none now. Call [`Self::arrived`] when there are.
    pub fn awaits_arrival(&self) -> Option<EntryId> {
        (self.reading.phase == Phase::Idle && !self.is_paused).then(|| self.reading.last.unwrap_or_default())
    }

    /// There may be new entries.
    pub fn arrived(&mut self) {
        if self.reading.phase == Phase::Idle {
            self.reading.phase = Phase::New;
        }
    }

    fn add(&mut self, entry: ReadEntry<P>, now: Tick) {
        let ReadEntry { id, tries, content } = entry;
        if self.reading.last >= Some(id) {
            return;
        }
        self.reading.last = Some(id);
        match content {
            Content::Gone => self.acknowledge(id),
            Content::Malformed(why) => self.add_malformed(id, tries, &why),
            Content::Event { key, bytes, expires_ms, payload } => {
                let at = self.chains.of_key(&key);
                let most = self.limits.of_one_key();
                self.chains.change(at, |chain| chain.append(Loaded { id, tries, bytes, expires_ms, payload }, most));
                self.settle(at, now);
            }
        }
    }

    /// Its key is unknown, so it has a chain of its own.
    fn add_malformed(&mut self, id: EntryId, tries: u32, why: &str) {
        let at = self.chains.of_key("");
        self.chains.change(at, |chain| {
            chain.append_id(id);
            chain.tries = tries;
        });
        self.make_dead_letter(at, DeadReason::Malformed, why);
    }

    fn loaded_content(&mut self, load: Vec<(usize, EntryId)>, entries: Vec<ReadEntry<P>>, now: Tick) {
        self.set_loads(&load, Loads::Idle);
        let mut load = load.into_iter();
        for ReadEntry { id, tries, content } in entries {
            let Some((at, _)) = load.find(|(_, requested)| *requested == id) else { return };
            // Meanwhile the entry may be done, and another chain in its place.
            if self.chains.get(at).and_then(Chain::first_unloaded) != Some(id) {
                continue;
            }
            match content {
                Content::Event { bytes, expires_ms, payload, .. } => {
                    self.chains.change(at, |chain| chain.load(Loaded { id, tries, bytes, expires_ms, payload }));
                }
                Content::Gone => {
                    self.acknowledge(id);
                    self.chains.change(at, |chain| chain.skip(id));
                }
                Content::Malformed(why) => {
                    self.chains.change(at, |chain| chain.skip(id));
                    self.add_malformed(id, tries, &why);
                }
            }
            self.settle(at, now);
        }
    }

    fn set_loads(&mut self, load: &[(usize, EntryId)], loads: Loads) {
        for (at, _) in load {
            self.chains.change(*at, |chain| chain.loads = loads);
        }
    }
}
