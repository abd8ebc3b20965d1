//! What is to do for the channels of this node. Takes the time as an argument.

use gateway_core::model::ChannelName;
use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

type Hasher = foldhash::quality::RandomState;

/// The time from the first subscriber of a channel to its last one, over all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Occupation {
    pub(crate) channel: ChannelName,
    pub(crate) generation: u64,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Task {
    /// Tells the broker whether this node has subscribers of the channel.
    Settle(ChannelName),
    /// Ends an occupation if it is still vacant, and announces that.
    Vacate(Occupation),
}

/// The next step of [`Task::Settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The first subscriber came, or the node has a new generation.
    Hold,
    /// The last subscriber left.
    Release,
    /// The broker knows everything.
    Nothing,
}

/// What a hold tells this node about the occupation of the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The node knew the occupation before.
    Known,
    /// The occupation is new to the node. The one that it knew before is over.
    New { over: Option<Occupation> },
}

/// A channel with subscribers, or with a hold.
#[derive(Debug, Default)]
struct Channel {
    subscribers: usize,
    hold: Option<Hold>,
    /// Whether the broker may know something else than `hold`: an answer is missing, or the store may have lost data.
    is_uncertain: bool,
}

/// What the broker knows.
#[derive(Clone, Debug)]
struct Hold {
    generation: u64,
    /// The generation of this node that has the hold.
    holder: Arc<str>,
}

/// Counts the subscribers of each channel, and queues what is to do. A task is in the queue or in progress at most once, so the number of channels and
/// of vacant occupations bounds it.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Whether a service wants these events. Until then the table only counts.
    is_active: bool,
    channels: HashMap<ChannelName, Channel, Hasher>,
    ready: VecDeque<Task>,
    timers: BTreeSet<(Instant, Task)>,
    tasks: HashMap<Task, Progress, Hasher>,
}

/// The progress of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is ready or has a timer.
    Waiting,
    /// The caller carries it out.
    Running,
    /// The caller carries it out, and it was requested again since.
    Outdated,
}

impl Table {
    /// Counts a subscriber. Returns whether there is something to do.
    pub(super) fn enter(&mut self, channel: &ChannelName) -> bool {
        let entry = self.channels.entry(channel.clone()).or_default();
        entry.subscribers += 1;
        entry.subscribers == 1 && self.settle(channel)
    }

    /// Counts the end of a subscription. Returns whether there is something to do.
    pub(super) fn leave(&mut self, channel: &ChannelName) -> bool {
        let Some(entry) = self.channels.get_mut(channel) else { return false };
        entry.subscribers = entry.subscribers.saturating_sub(1);
        if entry.subscribers > 0 {
            return false;
        }
        if !self.is_active {
            self.channels.remove(channel);
        }
        self.settle(channel)
    }

    /// Begins to tell the broker about all channels.
    pub(super) fn activate(&mut self) {
        if !std::mem::replace(&mut self.is_active, true) {
            self.settle_all();
        }
    }

    /// Writes all holds again, because the store may have lost some.
    pub(super) fn doubt_all(&mut self) {
        // Any order: each channel gets the same mark.
        self.channels.values_mut().for_each(|channel| channel.is_uncertain = true);
        self.settle_all();
    }

    /// Checks all channels, because the node has a new generation.
    pub(super) fn settle_all(&mut self) {
        // Any order: channels do not depend on each other.
        let all: Vec<_> = self.channels.keys().cloned().collect();
        for channel in &all {
            self.settle(channel);
        }
    }

    fn settle(&mut self, channel: &ChannelName) -> bool {
        if !self.is_active {
            return false;
        }
        let task = Task::Settle(channel.clone());
        let is_new = self.request(&task);
        if is_new {
            self.ready.push_back(task);
        }
        is_new
    }

    /// Queues the end of an occupation, after it was vacant for this time.
    pub(super) fn vacate(&mut self, occupation: Occupation, now: Instant, linger: Duration) {
        let task = Task::Vacate(occupation);
        if self.request(&task) {
            self.timers.insert((now + linger, task));
        }
    }

    /// Returns whether the caller has to queue the task. A task that is in progress runs again after its end.
    fn request(&mut self, task: &Task) -> bool {
        match self.tasks.entry(task.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(Progress::Waiting);
                true
            }
            Entry::Occupied(mut entry) => {
                if *entry.get() == Progress::Running {
                    entry.insert(Progress::Outdated);
                }
                false
            }
        }
    }

    /// The next task. The caller ends it with [`Self::finish`] or [`Self::retry`].
    pub(super) fn next(&mut self, now: Instant) -> Option<Task> {
        let is_due = self.timers.first().is_some_and(|(due, _)| *due <= now);
        let task = if is_due { self.timers.pop_first().map(|(_, task)| task) } else { self.ready.pop_front() }?;
        self.tasks.insert(task.clone(), Progress::Running);
        Some(task)
    }

    /// When the next timer is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Ends a task.
    pub(super) fn finish(&mut self, task: &Task) {
        if self.tasks.remove(task) == Some(Progress::Outdated) {
            self.tasks.insert(task.clone(), Progress::Waiting);
            self.ready.push_back(task.clone());
        }
    }

    /// Repeats a task at this time.
    pub(super) fn retry(&mut self, task: Task, at: Instant) {
        self.tasks.insert(task.clone(), Progress::Waiting);
        self.timers.insert((at, task));
    }

    /// The next step for a channel, with this generation of the node. The caller reports its success with [`Self::held`] or [`Self::released`]. Until
    /// then the broker may have carried it out or not.
    pub(super) fn step(&mut self, channel: &ChannelName, holder: &str) -> Step {
        let Some(entry) = self.channels.get_mut(channel) else { return Step::Nothing };
        let step = match (entry.subscribers > 0, &entry.hold) {
            (true, Some(hold)) if !entry.is_uncertain && &*hold.holder == holder => Step::Nothing,
            (false, None) if !entry.is_uncertain => Step::Nothing,
            (true, _) => Step::Hold,
            // A release of nothing does no harm. That of a new generation also ends the holds of earlier ones.
            (false, _) => Step::Release,
        };
        if step != Step::Nothing {
            entry.is_uncertain = true;
        } else if entry.subscribers == 0 {
            self.channels.remove(channel);
        }
        step
    }

    /// The broker has the hold.
    pub(super) fn held(&mut self, channel: &ChannelName, generation: u64, holder: Arc<str>) -> Held {
        let entry = self.channels.entry(channel.clone()).or_default();
        entry.is_uncertain = false;
        match entry.hold.replace(Hold { generation, holder }) {
            Some(before) if before.generation == generation => Held::Known,
            Some(before) => Held::New { over: Some(Occupation { channel: channel.clone(), generation: before.generation }) },
            None => Held::New { over: None },
        }
    }

    /// The broker has released the hold. Returns the occupation that this node knew.
    pub(super) fn released(&mut self, channel: &ChannelName) -> Option<Occupation> {
        let entry = self.channels.get_mut(channel)?;
        entry.is_uncertain = false;
        let hold = entry.hold.take();
        if entry.subscribers == 0 {
            self.channels.remove(channel);
        }
        Some(Occupation { channel: channel.clone(), generation: hold?.generation })
    }
}

#[cfg(test)]
mod tests;
