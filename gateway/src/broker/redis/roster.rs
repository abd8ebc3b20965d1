//! Which channels this node needs from Redis, and what Redis has been told. Sans-I/O: the listener carries out what it decides.
//!
//! A channel is *subscribed* only while the subscription was confirmed on the connection that is open now. Whoever waits for that waits here, and
//! nobody else says it. Channels that were subscribed on a connection that broke have to be checked for what was lost meanwhile.

use crate::model::{ChannelName, Position, Tick, WorkerId, WorkerSet};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::sync::oneshot;

/// See the module.
#[derive(Debug)]
pub(super) struct Roster {
    channels: HashMap<ChannelName, Entry, foldhash::quality::RandomState>,
    /// Channels that may be in [`Stage::Wanted`], in the order in which they were asked for.
    wanted: VecDeque<ChannelName>,
    /// Channels that may be in [`Stage::Lingering`], by the time at which they end.
    lingering: VecDeque<(Tick, ChannelName)>,
    linger: Duration,
    /// Channels with an [`Owed`], by when it is looked at.
    owing: VecDeque<(Tick, ChannelName)>,
}

/// What was published here was answered with a position, and has to come back as everybody else's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owed {
    /// When that is looked at.
    due: Tick,
    /// Up to here.
    upto: Position,
    /// What had come when it was looked at last.
    heard: Option<Position>,
}

/// For a publication that was acknowledged to come, too.
pub(super) const OWED: Duration = Duration::from_secs(2);

/// Tells one subscription of a channel from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incarnation(u64);

#[derive(Debug)]
struct Entry {
    /// As all of its deliveries share it.
    name: ChannelName,
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
    owed: Option<Owed>,
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

/// The answer to [`Roster::want`].
#[derive(Debug)]
pub(super) enum Wanted {
    /// Deliveries come already.
    Subscribed,
    /// They come when this resolves.
    Wait(oneshot::Receiver<()>),
}

impl Roster {
    /// An empty one. What no worker needs is unsubscribed after `linger`.
    pub(super) fn new(linger: Duration) -> Self {
        Self { channels: HashMap::default(), wanted: VecDeque::new(), lingering: VecDeque::new(), linger, owing: VecDeque::new() }
    }

    /// Channels that are known to Redis, or have to be.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// A worker needs a channel.
    pub(super) fn want(&mut self, channel: &ChannelName, worker: WorkerId, kept: bool) -> Wanted {
        let entry = self.channels.entry(channel.clone()).or_insert_with(|| {
            self.wanted.push_back(channel.clone());
            Entry::new(channel.clone(), kept)
        });
        entry.workers.insert(worker);
        entry.kept = kept;
        match entry.stage {
            Stage::Subscribed | Stage::Lingering(_) => {
                entry.stage = Stage::Subscribed;
                Wanted::Subscribed
            }
            Stage::Wanted | Stage::Subscribing | Stage::Doubted | Stage::Unsubscribing => {
                let (told, wait) = oneshot::channel();
                entry.waiting.retain(|waiting| !waiting.is_closed());
                entry.waiting.push(told);
                Wanted::Wait(wait)
            }
        }
    }

    /// A worker needs it no longer.
    pub(super) fn drop_worker(&mut self, channel: &ChannelName, worker: WorkerId, now: Tick) {
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
        if let Some(entry) = self.channels.get_mut(channel) {
            entry.stage = Stage::Lingering(until);
            self.lingering.push_back((until, channel.clone()));
        }
    }

    /// Who gets what came for this channel.
    pub(super) fn route(&self, channel: &str) -> Option<(&ChannelName, WorkerSet)> {
        self.channels.get(channel).filter(|entry| !entry.workers.is_empty()).map(|entry| (&entry.name, entry.workers))
    }

    /// The same for a publication, which may be one of the stream.
    pub(super) fn deliver(&mut self, channel: &str, at: Option<Position>) -> Option<(&ChannelName, WorkerSet)> {
        let entry = self.channels.get_mut(channel).filter(|entry| !entry.workers.is_empty())?;
        entry.heard = at.or(entry.heard);
        Some((&entry.name, entry.workers))
    }

    /// What was published into a channel stands here: it has to come soon, if the channel is subscribed.
    pub(super) fn owe(&mut self, channel: &ChannelName, at: Position, now: Tick) {
        let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.is_relied_on()) else { return };
        if entry.has_heard(at) {
            return;
        }
        if let Some(owed) = &mut entry.owed {
            owed.upto = at;
        } else {
            let due = now.after(OWED);
            entry.owed = Some(Owed { due, upto: at, heard: entry.heard });
            self.owing.push_back((due, entry.name.clone()));
        }
    }

    /// Doubts channels to which nothing came of what had to; answers how many.
    pub(super) fn overdue(&mut self, now: Tick) -> usize {
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
                let due = now.after(OWED);
                entry.owed = Some(Owed { due, heard: entry.heard, ..owed });
                self.owing.push_back((due, name));
            }
        }
        silent
    }

    /// Deliveries of this channel stay away. It is subscribed to again, and then looked at.
    pub(super) fn doubt(&mut self, channel: &ChannelName) {
        if let Some(entry) = self.channels.get_mut(channel).filter(|entry| entry.stage == Stage::Subscribed) {
            (entry.stage, entry.interrupted) = (Stage::Doubted, true);
            self.wanted.push_back(channel.clone());
        }
    }

    /// Up to `most` channels that Redis has to be told of now.
    pub(super) fn subscribe(&mut self, most: usize) -> Vec<ChannelName> {
        let mut names = Vec::new();
        while names.len() < most
            && let Some(name) = self.wanted.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name)
                && matches!(entry.stage, Stage::Wanted | Stage::Doubted)
            {
                entry.stage = Stage::Subscribing;
                names.push(name);
            }
        }
        names
    }

    /// Redis confirmed these. Answers those with a history that have to be checked for what was lost.
    pub(super) fn subscribed(&mut self, names: &[ChannelName], now: Tick) -> Vec<ChannelName> {
        let mut resumed = Vec::new();
        for name in names {
            let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.stage == Stage::Subscribing) else { continue };
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

    /// Up to `most` channels that Redis may forget now.
    pub(super) fn unsubscribe(&mut self, most: usize, now: Tick) -> Vec<ChannelName> {
        let mut names = Vec::new();
        while names.len() < most
            && self.lingering.front().is_some_and(|(until, _)| *until <= now)
            && let Some((until, name)) = self.lingering.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name)
                && entry.stage == Stage::Lingering(until)
            {
                entry.stage = Stage::Unsubscribing;
                names.push(name);
            }
        }
        names
    }

    /// Redis confirmed that these are forgotten.
    pub(super) fn unsubscribed(&mut self, names: &[ChannelName]) {
        for name in names {
            let Some(entry) = self.channels.get_mut(name).filter(|entry| entry.stage == Stage::Unsubscribing) else { continue };
            if entry.workers.is_empty() {
                self.channels.remove(name);
            } else {
                entry.stage = Stage::Wanted;
                self.wanted.push_back(name.clone());
            }
        }
        if self.channels.capacity() > 4 * self.channels.len() + 1024 {
            self.channels.shrink_to_fit();
        }
    }

    /// The connection broke: nothing is subscribed any more, and everything that a worker needs is wanted.
    pub(super) fn disconnected(&mut self) {
        self.wanted.clear();
        self.lingering.clear();
        let wanted = &mut self.wanted;
        self.channels.retain(|name, entry| {
            if entry.workers.is_empty() {
                return false;
            }
            entry.interrupted |= entry.stage == Stage::Subscribed;
            entry.stage = Stage::Wanted;
            wanted.push_back(name.clone());
            true
        });
    }

    /// Channels with a history that workers rely on now.
    pub(super) fn kept(&self) -> Vec<(ChannelName, Incarnation)> {
        self.channels.values().filter(|entry| entry.is_relied_on()).map(|entry| (entry.name.clone(), entry.incarnation)).collect()
    }

    /// Whether a channel is still subscribed as it was then.
    pub(super) fn is_unbroken(&self, channel: &ChannelName, since: Incarnation) -> bool {
        self.channels.get(channel).is_some_and(|entry| entry.stage == Stage::Subscribed && entry.incarnation == since)
    }
}

impl Entry {
    fn new(name: ChannelName, kept: bool) -> Self {
        Self {
            name,
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
}

#[cfg(test)]
mod tests;
