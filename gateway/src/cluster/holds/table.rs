//! What is to do for the channels of this node. Takes the time as an argument.

use gateway_core::model::ChannelName;
use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
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

/// A channel with subscribers, or with a hold.
#[derive(Debug, Default)]
struct Channel {
    subscribers: usize,
    hold: Option<Hold>,
}

/// What the broker knows.
#[derive(Clone, Debug)]
struct Hold {
    generation: u64,
    /// The generation of this node that has the hold.
    holder: Arc<str>,
    /// Whether the store may have lost the hold.
    is_doubted: bool,
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
    /// Tasks that are ready, have a timer or are in progress.
    known: HashSet<Task, Hasher>,
    /// Channels that changed while their task was in progress.
    again: HashSet<ChannelName, Hasher>,
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
        // Any order: each hold gets the same mark.
        self.channels.values_mut().filter_map(|channel| channel.hold.as_mut()).for_each(|hold| hold.is_doubted = true);
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
        if self.known.contains(&task) {
            self.again.insert(channel.clone());
            return false;
        }
        self.push(task);
        true
    }

    /// Queues the end of an occupation, after it was vacant for this time.
    pub(super) fn vacate(&mut self, occupation: Occupation, now: Instant, linger: Duration) {
        let task = Task::Vacate(occupation);
        if self.known.insert(task.clone()) {
            self.timers.insert((now + linger, task));
        }
    }

    fn push(&mut self, task: Task) {
        self.known.insert(task.clone());
        self.ready.push_back(task);
    }

    /// The next task. The caller ends it with [`Self::finish`] or [`Self::retry`].
    pub(super) fn next(&mut self, now: Instant) -> Option<Task> {
        if let Some((due, _)) = self.timers.first()
            && *due <= now
        {
            return self.timers.pop_first().map(|(_, task)| task);
        }
        self.ready.pop_front()
    }

    /// When the next timer is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Ends a task.
    pub(super) fn finish(&mut self, task: &Task) {
        self.known.remove(task);
        if let Task::Settle(channel) = task
            && self.again.remove(channel)
        {
            self.push(task.clone());
        }
    }

    /// Repeats a task at this time.
    pub(super) fn retry(&mut self, task: Task, at: Instant) {
        self.timers.insert((at, task));
    }

    /// The next step for a channel, with this generation of the node.
    pub(super) fn step(&mut self, channel: &ChannelName, holder: &str) -> Step {
        let Some(entry) = self.channels.get(channel) else { return Step::Nothing };
        let current = entry.hold.as_ref().filter(|hold| &*hold.holder == holder);
        match (entry.subscribers > 0, current) {
            (true, Some(hold)) if !hold.is_doubted => Step::Nothing,
            (true, _) => Step::Hold,
            (false, Some(_)) => Step::Release,
            (false, None) => {
                // A hold of an earlier generation of this node is in the care of the cleanup after it.
                self.channels.remove(channel);
                Step::Nothing
            }
        }
    }

    /// The broker has the hold. Returns the occupation that this node knew before, if it is another one and so is over.
    pub(super) fn held(&mut self, channel: &ChannelName, generation: u64, holder: Arc<str>) -> Option<Occupation> {
        let hold = &mut self.channels.entry(channel.clone()).or_default().hold;
        let before = hold.replace(Hold { generation, holder, is_doubted: false });
        let over = before.map(|hold| hold.generation).filter(|before| *before != generation)?;
        Some(Occupation { channel: channel.clone(), generation: over })
    }

    /// The broker has released the hold. Returns the occupation that this node knew.
    pub(super) fn released(&mut self, channel: &ChannelName) -> Option<Occupation> {
        let entry = self.channels.get_mut(channel)?;
        let generation = entry.hold.take()?.generation;
        if entry.subscribers == 0 {
            self.channels.remove(channel);
        }
        Some(Occupation { channel: channel.clone(), generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> ChannelName {
        "c:a".parse().expect("valid")
    }

    fn active() -> Table {
        let mut table = Table::default();
        table.activate();
        table
    }

    fn settle() -> Task {
        Task::Settle(channel())
    }

    #[test]
    fn only_the_first_and_the_last_subscriber_of_the_node_concern_the_broker() {
        let (mut table, now) = (active(), Instant::now());
        assert!(table.enter(&channel()));
        assert!(!table.enter(&channel()));
        assert_eq!((table.next(now), table.next(now)), (Some(settle()), None));
        assert_eq!(table.step(&channel(), "n1/1"), Step::Hold);
        assert_eq!(table.held(&channel(), 7, "n1/1".into()), None);
        assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
        table.finish(&settle());
        assert!(!table.leave(&channel()));
        assert!(table.leave(&channel()));
        assert_eq!(table.next(now), Some(settle()));
        assert_eq!(table.step(&channel(), "n1/1"), Step::Release);
        assert_eq!(table.released(&channel()), Some(Occupation { channel: channel(), generation: 7 }));
        assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
        table.finish(&settle());
        assert!(table.channels.is_empty() && table.known.is_empty());
    }

    #[test]
    fn a_change_during_a_task_runs_it_again() {
        let (mut table, now) = (active(), Instant::now());
        table.enter(&channel());
        let task = table.next(now).expect("one");
        assert!(!table.leave(&channel()), "the task is in progress");
        assert_eq!(table.next(now), None, "never twice at a time");
        table.held(&channel(), 7, "n1/1".into());
        table.finish(&task);
        assert_eq!((table.next(now), table.step(&channel(), "n1/1")), (Some(settle()), Step::Release));
    }

    #[test]
    fn nothing_is_to_do_before_a_service_wants_it_and_then_everything() {
        let (mut table, now) = (Table::default(), Instant::now());
        assert!(!table.enter(&channel()) && !table.enter(&"c:b".parse().expect("valid")));
        assert!(!table.leave(&channel()));
        assert_eq!(table.next(now), None);
        table.activate();
        table.activate();
        assert_eq!((table.next(now), table.next(now)), (Some(Task::Settle("c:b".parse().expect("valid"))), None));
    }

    #[test]
    fn a_new_generation_of_the_node_holds_again_and_ends_an_occupation_that_the_store_has_lost() {
        let mut table = active();
        table.enter(&channel());
        table.held(&channel(), 7, "n1/1".into());
        assert_eq!(table.step(&channel(), "n1/2"), Step::Hold);
        assert_eq!(table.held(&channel(), 7, "n1/2".into()), None, "the occupation goes on");
        assert_eq!(table.step(&channel(), "n1/3"), Step::Hold);
        assert_eq!(table.held(&channel(), 9, "n1/3".into()), Some(Occupation { channel: channel(), generation: 7 }));
        table.leave(&channel());
        assert_eq!(table.step(&channel(), "n1/4"), Step::Nothing, "others clean up after the generation that had the hold");
        assert!(table.channels.is_empty());
    }

    #[test]
    fn a_doubted_hold_is_written_again_or_released() {
        let mut table = active();
        table.enter(&channel());
        table.held(&channel(), 7, "n1/1".into());
        table.doubt_all();
        assert_eq!(table.step(&channel(), "n1/1"), Step::Hold);
        assert_eq!(table.held(&channel(), 7, "n1/1".into()), None);
        assert_eq!(table.step(&channel(), "n1/1"), Step::Nothing);
        table.doubt_all();
        table.leave(&channel());
        assert_eq!(table.step(&channel(), "n1/1"), Step::Release);
    }

    #[test]
    fn an_occupation_is_vacated_once_and_after_its_time() {
        let (mut table, now, linger) = (active(), Instant::now(), Duration::from_secs(2));
        let occupation = || Occupation { channel: channel(), generation: 7 };
        table.vacate(occupation(), now, linger);
        table.vacate(occupation(), now, Duration::ZERO);
        assert_eq!((table.next(now), table.due()), (None, Some(now + linger)));
        let task = table.next(now + linger).expect("due");
        assert_eq!((task.clone(), table.next(now + linger)), (Task::Vacate(occupation()), None));
        table.retry(task.clone(), now + 2 * linger);
        assert_eq!(table.next(now + linger), None);
        assert_eq!(table.next(now + 2 * linger), Some(task.clone()));
        table.finish(&task);
        table.vacate(occupation(), now, Duration::ZERO);
        assert_eq!(table.next(now), Some(task), "after its end it can begin again");
    }
}
