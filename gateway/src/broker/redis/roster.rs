//! Which channels this node needs from Redis, and what Redis has been told. Sans-I/O: the listener carries out what it decides.
//!
//! A channel is *subscribed* only while the subscription was confirmed on the connection that is open now. Whoever waits for that waits here, and
//! nobody else says it. Channels that were subscribed on a connection that broke have to be checked for what was lost meanwhile.

use crate::model::{ChannelName, Tick, WorkerId, WorkerSet};
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
}

#[derive(Debug)]
struct Entry {
    /// As all of its deliveries share it.
    name: ChannelName,
    workers: WorkerSet,
    /// Whether its publications are kept, so that a loss can be made good.
    kept: bool,
    stage: Stage,
    waiting: Vec<oneshot::Sender<()>>,
    /// Whether a connection broke while workers relied on it.
    interrupted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Redis has to be told.
    Wanted,
    /// It was, and has not confirmed.
    Subscribing,
    /// It confirmed, on the connection that is open.
    Subscribed,
    /// The same, but no worker needs it any more; kept for a while, since pages that are loaded anew come back.
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
        Self { channels: HashMap::default(), wanted: VecDeque::new(), lingering: VecDeque::new(), linger }
    }

    /// Channels that are known to Redis, or have to be.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// A worker needs a channel.
    pub(super) fn want(&mut self, channel: &ChannelName, worker: WorkerId, kept: bool) -> Wanted {
        let entry = self.channels.entry(channel.clone()).or_insert_with(|| {
            self.wanted.push_back(channel.clone());
            let (name, workers, stage) = (channel.clone(), WorkerSet::default(), Stage::Wanted);
            Entry { name, workers, kept, stage, waiting: Vec::new(), interrupted: false }
        });
        entry.workers.insert(worker);
        entry.kept = kept;
        match entry.stage {
            Stage::Subscribed | Stage::Lingering(_) => {
                entry.stage = Stage::Subscribed;
                Wanted::Subscribed
            }
            Stage::Wanted | Stage::Subscribing | Stage::Unsubscribing => {
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
            Stage::Subscribed => self.let_linger(channel, now),
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

    /// Up to `most` channels that Redis has to be told of now.
    pub(super) fn subscribe(&mut self, most: usize) -> Vec<ChannelName> {
        let mut names = Vec::new();
        while names.len() < most
            && let Some(name) = self.wanted.pop_front()
        {
            if let Some(entry) = self.channels.get_mut(&name)
                && entry.stage == Stage::Wanted
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
            entry.interrupted |= matches!(entry.stage, Stage::Subscribed);
            entry.stage = Stage::Wanted;
            wanted.push_back(name.clone());
            true
        });
    }

    /// Channels with a history that workers rely on now.
    pub(super) fn kept(&self) -> Vec<ChannelName> {
        let relied = |entry: &Entry| entry.kept && entry.stage == Stage::Subscribed;
        self.channels.iter().filter(|(_, entry)| relied(entry)).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
