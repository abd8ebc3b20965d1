//! Which channels this node needs from Redis, and what Redis has been told. Sans-I/O: the listener carries out what it decides.
//!
//! A channel is *subscribed* only while the subscription was confirmed on the connection that is open now, by the master that serves its slot now, its
//! *home*. Whoever waits for that waits here, and nobody else says it. Channels that were subscribed on a connection that broke, or at what was their
//! home, have to be checked for what was lost meanwhile.

use crate::broker::{
    NameHasher,
    redis::{
        schema::{keys::slot, slot::Slot},
        servers::topology::{Master, Topology},
    },
};
use gateway_core::model::{ChannelName, Position, Tick, WorkerId, WorkerSet};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

// NL-3.1
/// See the module.
#[derive(Debug)]
pub(crate) struct SubscriptionTable {
    channels: HashMap<ChannelName, Entry, NameHasher>,
    homes: BTreeMap<Master, Home>,
    map: Arc<Topology>,
    linger: Duration,
    /// Channels with an [`ExpectedDelivery`], by when it is looked at.
    owing: VecDeque<(Tick, ChannelName)>,
}

/// What one master has to be told.
#[derive(Debug, Default)]
struct Home {
    /// Channels that may be in [`Stage::Wanted`], in the order in which they were asked for.
    wanted: VecDeque<ChannelName>,
    /// Channels that may be in [`Stage::Lingering`], by the time at which they end.
    lingering: VecDeque<(Tick, ChannelName)>,
    /// Something is wanted.
    told: Arc<Notify>,
}

impl Home {
    fn want(&mut self, channel: ChannelName) {
        self.wanted.push_back(channel);
        self.told.notify_one();
    }
}

/// What was published here was answered with a position, and has to come back as everybody else's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ExpectedDelivery {
    /// When that is looked at.
    due: Tick,
    /// Up to here.
    upto: Position,
    /// What had come when it was looked at last.
    heard: Option<Position>,
}

/// For a publication that was acknowledged to come, too.
pub(crate) const EXPECTED_WITHIN: Duration = Duration::from_secs(2);

/// Tells one subscription of a channel from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incarnation(u64);

#[derive(Debug)]
struct Entry {
    /// As all of its deliveries share it.
    name: ChannelName,
    /// None: no master serves its slot, for all that is known.
    home: Option<Master>,
    workers: WorkerSet,
    /// Whether its publications are kept, so that a loss can be made good.
    kept: bool,
    stage: Stage,
    waiting: Vec<oneshot::Sender<()>>,
    /// Whether a connection broke while workers relied on it, or deliveries stayed away.
    interrupted: bool,
    incarnation: Incarnation,
    /// The last publication of the stream that came.
    heard: Option<Position>,
    owed: Option<ExpectedDelivery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Redis has to be told.
    Wanted,
    /// It was, and has not confirmed.
    Subscribing,
    /// It confirmed, on the connection that is open.
    Subscribed,
    /// It did, and does not deliver: it has to be told again.
    Doubted,
    /// As `Subscribed`, but no worker needs it any more; kept for a while, since pages that are loaded anew come back.
    Lingering(Tick),
    /// Redis was told that it is no longer needed.
    Unsubscribing,
}

/// The answer to [`SubscriptionTable::want`].
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Deliveries come already.
    Subscribed,
    /// They come when this resolves.
    Wait(oneshot::Receiver<()>),
}

impl SubscriptionTable {
    /// An empty one. What no worker needs is unsubscribed after `linger`.
    pub(crate) fn new(map: Arc<Topology>, linger: Duration) -> Self {
        Self { channels: HashMap::default(), homes: BTreeMap::new(), map, linger, owing: VecDeque::new() }
    }

    /// Channels that are known to Redis, or have to be.
    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Notified when [`Self::subscribe`] may have something for this master.
    pub(crate) fn told(&mut self, home: Master) -> Arc<Notify> {
        self.homes.entry(home).or_default().told.clone()
    }

    // NL-3.2
    /// A worker needs a channel.
    pub(crate) fn want(&mut self, channel: &ChannelName, worker: WorkerId, kept: bool) -> Wanted {
        let (homes, map) = (&mut self.homes, &self.map);
        let entry = self.channels.entry(channel.clone()).or_insert_with(|| {
            let home = home(map, channel);
            if let Some(home) = home {
                homes.entry(home).or_default().want(channel.clone());
            }
            Entry::new(channel.clone(), home, kept)
        });
        entry.workers.insert(worker);
        entry.kept = kept;
        match entry.stage {
            // It was doubted before it was needed no more, and nobody has told Redis again.
            Stage::Lingering(_) if entry.interrupted => {
                entry.stage = Stage::Doubted;
                if let Some(home) = entry.home {
                    homes.entry(home).or_default().want(channel.clone());
                }
            }
            Stage::Lingering(_) => entry.stage = Stage::Subscribed,
            Stage::Wanted | Stage::Subscribing | Stage::Subscribed | Stage::Doubted | Stage::Unsubscribing => {}
        }
        match entry.stage {
            Stage::Subscribed => Wanted::Subscribed,
            Stage::Wanted | Stage::Subscribing | Stage::Doubted | Stage::Lingering(_) | Stage::Unsubscribing => {
                let (told, wait) = oneshot::channel();
                entry.waiting.retain(|waiting| !waiting.is_closed());
                entry.waiting.push(told);
                Wanted::Wait(wait)
            }
        }
    }

    /// A worker needs it no longer.
    pub(crate) fn drop_worker(&mut self, channel: &ChannelName, worker: WorkerId, now: Tick) {
        let Some(entry) = self.channels.get_mut(channel) else { return };
        if !entry.workers.remove(worker) || !entry.workers.is_empty() {
            return;
        }
        match entry.stage {
            Stage::Wanted => {
                self.channels.remove(channel);
            }
            Stage::Subscribed | Stage::Doubted => self.let_linger(channel, now),
            // Decided when Redis has answered.
            Stage::Subscribing | Stage::Unsubscribing | Stage::Lingering(_) => {}
        }
    }

    fn let_linger(&mut self, channel: &ChannelName, now: Tick) {
        let until = now.after(self.linger);
        if let Some(entry) = self.channels.get_mut(channel)
            && let Some(home) = entry.home
        {
            entry.stage = Stage::Lingering(until);
            self.homes.entry(home).or_default().lingering.push_back((until, channel.clone()));
        }
    }

    /// Who gets what concerns this channel.
    pub(crate) fn route(&self, channel: &str) -> Option<(&ChannelName, WorkerSet)> {
        self.channels.get(channel).filter(|entry| !entry.workers.is_empty()).map(|entry| (&entry.name, entry.workers))
    }

    /// Who gets what this master announced, which may be a publication of the stream. Only a channel's home has a say in it.
    pub(crate) fn deliver(&mut self, by: Master, channel: &str, at: Option<Position>) -> Option<(&ChannelName, WorkerSet)> {
        let entry = self.channels.get_mut(channel).filter(|entry| entry.home == Some(by) && !entry.workers.is_empty())?;
        entry.heard = at.or(entry.heard);
        Some((&entry.name, entry.workers))
    }

    // NL-6.3
    /// What was published into a channel stands here: it has to come soon, if the channel is subscribed.
    pub(crate) fn owe(&mut self, channel: &ChannelName, at: Position, now: Tick) {
        let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.is_relied_on()) else { return };
        if entry.has_heard(at) {
            return;
        }
        if let Some(owed) = &mut entry.owed {
            owed.upto = at;
        } else {
            let due = now.after(EXPECTED_WITHIN);
            entry.owed = Some(ExpectedDelivery { due, upto: at, heard: entry.heard });
            self.owing.push_back((due, entry.name.clone()));
        }
    }

    /// Doubts channels to which nothing came of what had to; answers how many.
    pub(crate) fn overdue(&mut self, now: Tick) -> usize {
        let mut silent = 0;
        while let Some((due, name)) = self.owing.pop_front_if(|(due, _)| *due <= now) {
            let Some(entry) = self.channels.get_mut(&name) else { continue };
            let Some(owed) = entry.owed.take_if(|owed| owed.due == due) else { continue };
            if !entry.is_relied_on() || entry.has_heard(owed.upto) {
                continue;
            }
            if entry.heard == owed.heard {
                silent += 1;
                self.doubt(&name);
            } else {
                // Something came: the rest is on its way.
                let due = now.after(EXPECTED_WITHIN);
                entry.owed = Some(ExpectedDelivery { due, heard: entry.heard, ..owed });
                self.owing.push_back((due, name));
            }
        }
        silent
    }

    /// Deliveries of this channel stay away. It is subscribed to again, and then looked at.
    pub(crate) fn doubt(&mut self, channel: &ChannelName) {
        if let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.stage == Stage::Subscribed)
            && let Some(home) = entry.home
        {
            (entry.stage, entry.interrupted) = (Stage::Doubted, true);
            self.homes.entry(home).or_default().want(channel.clone());
        }
    }

    // NL-3.4
    /// Up to `most` channels that this master has to be told of now.
    pub(crate) fn subscribe(&mut self, at: Master, most: usize) -> Vec<ChannelName> {
        let mut names = Vec::new();
        let wanted = &mut self.homes.entry(at).or_default().wanted;
        while names.len() < most
            && let Some(name) = wanted.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name)
                && entry.home == Some(at)
                && matches!(entry.stage, Stage::Wanted | Stage::Doubted)
            {
                entry.stage = Stage::Subscribing;
                names.push(name);
            }
        }
        names
    }

    /// The master confirmed these. Answers those with a history that have to be checked for what was lost.
    pub(crate) fn subscribed(&mut self, at: Master, names: &[ChannelName], now: Tick) -> Vec<ChannelName> {
        let mut resumed = Vec::new();
        for name in names {
            let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.is(at, Stage::Subscribing)) else { continue };
            entry.stage = Stage::Subscribed;
            entry.incarnation.0 += 1;
            for waiting in entry.waiting.drain(..) {
                // Who has given up meanwhile needs no answer.
                let _ = waiting.send(());
            }
            if std::mem::take(&mut entry.interrupted) && entry.kept {
                resumed.push(name.clone());
            }
            if entry.workers.is_empty() {
                self.let_linger(name, now);
            }
        }
        resumed
    }

    /// The master did not confirm these. They are wanted still.
    pub(crate) fn refused(&mut self, at: Master, names: &[ChannelName]) {
        for name in names {
            if let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.is(at, Stage::Subscribing)) {
                entry.stage = Stage::Wanted;
                self.homes.entry(at).or_default().want(name.clone());
            }
        }
    }

    /// Up to `most` channels that this master may forget now.
    pub(crate) fn unsubscribe(&mut self, at: Master, most: usize, now: Tick) -> Vec<ChannelName> {
        let mut names = Vec::new();
        let lingering = &mut self.homes.entry(at).or_default().lingering;
        while names.len() < most
            && lingering.front().is_some_and(|(until, _)| *until <= now)
            && let Some((until, name)) = lingering.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name).filter(|entry| entry.is(at, Stage::Lingering(until))) {
                entry.stage = Stage::Unsubscribing;
                names.push(name);
            }
        }
        names
    }

    /// The master has forgotten these.
    pub(crate) fn unsubscribed(&mut self, at: Master, names: &[ChannelName]) {
        for name in names {
            let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.is(at, Stage::Unsubscribing)) else { continue };
            if entry.workers.is_empty() {
                self.channels.remove(name);
            } else {
                entry.stage = Stage::Wanted;
                self.homes.entry(at).or_default().want(name.clone());
            }
        }
        if self.channels.capacity() > 4 * self.channels.len() + 1024 {
            self.channels.shrink_to_fit();
        }
    }

    // NL-3.5
    /// The master ended a subscription by itself: it does not serve the slot any more. True if that was relied on.
    pub(crate) fn ended(&mut self, at: Master, channel: &str) -> bool {
        let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.home == Some(at) && entry.is_on()) else { return false };
        let name = entry.name.clone();
        if entry.interrupt() {
            self.homes.entry(at).or_default().want(name);
        } else {
            self.channels.remove(&name);
        }
        true
    }

    // NL-3.3
    /// The connection to this master broke: nothing is subscribed there any more, and everything that a worker needs is wanted.
    pub(crate) fn disconnected(&mut self, at: Master) {
        let Home { wanted, lingering, told } = self.homes.entry(at).or_default();
        wanted.clear();
        lingering.clear();
        self.channels.retain(|name, entry| {
            if entry.home != Some(at) {
                return true;
            }
            let needed = entry.interrupt();
            if needed {
                wanted.push_back(name.clone());
            }
            needed
        });
        told.notify_one();
    }

    // NL-3.4, NL-3.5
    /// Slots are served by others now: what was subscribed elsewhere is wanted at its new home.
    pub(crate) fn rehome(&mut self, map: Arc<Topology>) {
        self.homes.retain(|master, _| map.masters().contains(master));
        let homes = &mut self.homes;
        self.channels.retain(|name, entry| {
            let home = home(&map, name);
            if entry.home == home {
                return true;
            }
            entry.home = home;
            let needed = entry.interrupt();
            if let Some(home) = home.filter(|_| needed) {
                homes.entry(home).or_default().want(name.clone());
            }
            needed
        });
        self.map = map;
    }

    /// Channels with a history that workers rely on now.
    pub(crate) fn kept(&self) -> Vec<(ChannelName, Incarnation)> {
        self.channels.values().filter(|entry| entry.is_relied_on()).map(|entry| (entry.name.clone(), entry.incarnation)).collect()
    }

    /// Those of them in these slots.
    pub(crate) fn kept_in(&self, slots: &BTreeSet<Slot>) -> Vec<ChannelName> {
        let kept = self.channels.values().filter(|entry| entry.is_relied_on() && slots.contains(&slot(&entry.name)));
        kept.map(|entry| entry.name.clone()).collect()
    }

    /// Whether a channel is still subscribed as it was then.
    pub(crate) fn is_unbroken(&self, channel: &ChannelName, since: Incarnation) -> bool {
        self.channels.get(channel).is_some_and(|entry| entry.stage == Stage::Subscribed && entry.incarnation == since)
    }
}

impl Entry {
    fn new(name: ChannelName, home: Option<Master>, kept: bool) -> Self {
        Self {
            name,
            home,
            workers: WorkerSet::default(),
            kept,
            stage: Stage::Wanted,
            waiting: Vec::new(),
            interrupted: false,
            incarnation: Incarnation(0),
            heard: None,
            owed: None,
        }
    }

    fn is_relied_on(&self) -> bool {
        self.kept && self.stage == Stage::Subscribed
    }

    fn has_heard(&self, at: Position) -> bool {
        self.heard.is_some_and(|heard| heard.epoch == at.epoch && heard.offset >= at.offset)
    }

    fn is(&self, home: Master, stage: Stage) -> bool {
        (self.home, self.stage) == (Some(home), stage)
    }

    /// Whether a master has been told of it, and not that it is needed no more.
    fn is_on(&self) -> bool {
        matches!(self.stage, Stage::Subscribing | Stage::Subscribed | Stage::Doubted | Stage::Lingering(_))
    }

    /// It is subscribed no more, whatever it was; answers whether it is to be again.
    fn interrupt(&mut self) -> bool {
        self.interrupted |= self.stage == Stage::Subscribed;
        self.stage = Stage::Wanted;
        !self.workers.is_empty()
    }
}

fn home(map: &Topology, channel: &ChannelName) -> Option<Master> {
    map.only().or_else(|| map.owner(slot(channel)))
}

#[cfg(test)]
mod tests;
