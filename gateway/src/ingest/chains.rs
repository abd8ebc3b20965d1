//! The entries that the owner of a partition has read: what to publish next, and what to try again. Sans-I/O.
//!
//! The entries of a channel are a chain. They are published in their order, many at a time: each names the one before it while the outcome of that one is
//! open, and the channel refuses it until that one is published. After a failure the chain waits until all its answers have come, and goes on from the first
//! entry that is not published.

use super::problem::Problem;
use crate::publish::Draft;
use gateway_core::{
    model::{ChannelName, ErrorCode, Refusal},
    queue::{DeadReason, EntryId},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// The first pause after a failure. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause before another try to make an entry a dead letter.
const DEAD_LETTER_PAUSE: Duration = Duration::from_secs(1);

/// What the entries of a chain have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChainName {
    Channel(ChannelName),
    /// An entry that names no channel is a chain of its own.
    Entry(EntryId),
}

/// An entry for a chain.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) id: EntryId,
    pub(super) work: Work,
    /// Whether nobody can have published the entry before: the store handed it out as new.
    pub(super) is_new: bool,
}

/// What an entry needs.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Publish(Draft),
    /// It cannot be published.
    DeadLetterEntry(Problem),
}

/// What the owner has to do now, in this order.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Publish it. `after`: the entry before it in the chain, whose outcome is open.
    Publish { chain: ChainName, id: EntryId, draft: Draft, after: Option<EntryId> },
    /// Make it a dead letter.
    DeadLetterEntry { chain: ChainName, id: EntryId, problem: Problem },
}

/// What became of an entry that was to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is published.
    Published,
    /// The channel has passed it.
    Passed,
    /// The channel has not passed the entry before it.
    Early,
    /// It may be published later.
    Later { is_uncertain: bool },
    /// It will never be published.
    Refused(Problem),
}

#[derive(Debug)]
struct Member {
    link: Link,
    state: State,
    /// Whether it may have been published without an answer.
    is_uncertain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight,
    /// Tried, to be tried again.
    Failed,
}

#[derive(Debug, Default)]
struct Chain {
    members: VecDeque<Member>,
    /// Whether the channel takes an entry before the outcome of the one before it is known.
    is_pipelined: bool,
    /// Number of failures since the last success.
    failures: u32,
    /// Whether something failed since the chain last went on.
    has_failed: bool,
    paused_until: Option<Instant>,
}

/// The chains of a partition.
#[derive(Debug, Default)]
pub(super) struct Chains {
    by_name: BTreeMap<ChainName, Chain>,
    /// Chains that perhaps have something to do.
    ready: VecDeque<ChainName>,
    pauses: BTreeSet<(Instant, ChainName)>,
    /// Entries that are in a chain.
    held: usize,
    in_flight: usize,
    finished: Vec<EntryId>,
}

/// The problem of an entry that is new, although its channel has passed it.
const PASSED: &str = "The channel has passed this entry, although it is new: the clock of its Redis was set back, or another program chose its id. Replay it, unless it is a repeat.";

impl Chains {
    /// Number of entries that are not finished.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Number of entries whose outcome is open.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Adds an entry to the end of its chain. Entries come in the order of their ids.
    pub(super) fn push(&mut self, name: ChainName, link: Link, is_pipelined: bool) {
        let chain = self.by_name.entry(name.clone()).or_default();
        chain.is_pipelined = is_pipelined;
        chain.members.push_back(Member { link, state: State::Waiting, is_uncertain: false });
        self.held += 1;
        if chain.paused_until.is_none() {
            self.ready.push_back(name);
        }
    }

    /// At most `most` steps to take now. Steps for a chain come in the order of its entries.
    pub(super) fn steps(&mut self, most: usize, now: Instant) -> Vec<Step> {
        while self.pauses.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, name)) = self.pauses.pop_first()
        {
            self.by_name.entry(name.clone()).and_modify(|chain| chain.paused_until = None);
            self.ready.push_back(name);
        }
        let mut steps = Vec::new();
        while steps.len() < most
            && let Some(name) = self.ready.pop_front()
        {
            let Some(chain) = self.by_name.get_mut(&name).filter(|chain| chain.paused_until.is_none()) else { continue };
            while let Some(step) = chain.next(&name) {
                self.in_flight += 1;
                steps.push(step);
                if steps.len() >= most {
                    self.ready.push_front(name);
                    break;
                }
            }
        }
        steps
    }

    /// When a chain goes on after a pause.
    pub(super) fn next_pause_end(&self) -> Option<Instant> {
        self.pauses.first().map(|(until, _)| *until)
    }

    /// Takes the outcome of a [`Step::Publish`]. Returns whether the entry is finished.
    pub(super) fn answered(&mut self, name: &ChainName, id: EntryId, outcome: Outcome, now: Instant) -> bool {
        let Some((chain, index)) = self.find(name, id) else { return false };
        let member = &mut chain.members[index];
        member.state = State::Waiting;
        let is_finished = match outcome {
            Outcome::Passed if member.link.is_new && !member.is_uncertain => {
                member.link.work =
                    Work::DeadLetterEntry(Problem::new(DeadReason::Unpublishable, &Refusal::new(ErrorCode::IdempotencyMismatch, PASSED)));
                false
            }
            Outcome::Published | Outcome::Passed => true,
            Outcome::Early => {
                member.state = State::Failed;
                false
            }
            Outcome::Later { is_uncertain } => {
                member.state = State::Failed;
                member.is_uncertain |= is_uncertain;
                chain.has_failed = true;
                false
            }
            Outcome::Refused(problem) => {
                member.link.work = Work::DeadLetterEntry(problem);
                false
            }
        };
        self.in_flight -= 1;
        self.settle(name, is_finished.then_some(index), now);
        if is_finished {
            self.finished.push(id);
        }
        is_finished
    }

    /// Takes the outcome of a [`Step::DeadLetterEntry`]: whether the entry is a dead letter now.
    pub(super) fn dead_lettered(&mut self, name: &ChainName, id: EntryId, is_dead_lettered: bool, now: Instant) {
        let Some((chain, index)) = self.find(name, id) else { return };
        let member = &mut chain.members[index];
        member.state = State::Waiting;
        self.in_flight -= 1;
        if !is_dead_lettered {
            self.pause(name, now + DEAD_LETTER_PAUSE);
        }
        self.settle(name, is_dead_lettered.then_some(index), now);
    }

    /// Takes the ids of entries that are published.
    pub(super) fn take_finished(&mut self, most: usize) -> Vec<EntryId> {
        self.finished.drain(..self.finished.len().min(most)).collect()
    }

    #[cfg(test)]
    fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    /// The entry, if its outcome is open.
    fn find(&mut self, name: &ChainName, id: EntryId) -> Option<(&mut Chain, usize)> {
        let chain = self.by_name.get_mut(name)?;
        let index = chain.members.binary_search_by_key(&id, |member| member.link.id).ok()?;
        (chain.members[index].state == State::InFlight).then_some((chain, index))
    }

    /// Removes the entry at `finished`. If no outcome of the chain is open, the chain goes on, after a failure with a pause.
    fn settle(&mut self, name: &ChainName, finished: Option<usize>, now: Instant) {
        let Some(chain) = self.by_name.get_mut(name) else { return };
        if let Some(index) = finished {
            chain.members.remove(index);
            self.held -= 1;
            chain.failures = 0;
        }
        if chain.members.is_empty() {
            self.by_name.remove(name);
            return;
        }
        if chain.members.iter().any(|member| member.state == State::InFlight) {
            // Any other chain waits for that outcome.
            if chain.is_pipelined {
                self.ready.push_back(name.clone());
            }
            return;
        }
        for member in chain.members.iter_mut().filter(|member| member.state == State::Failed) {
            member.state = State::Waiting;
        }
        if std::mem::take(&mut chain.has_failed) {
            let pause = FIRST_PAUSE.saturating_mul(1 << chain.failures.min(16)).min(LONGEST_PAUSE);
            chain.failures += 1;
            self.pause(name, now + pause);
        } else {
            self.ready.push_back(name.clone());
        }
    }

    fn pause(&mut self, name: &ChainName, until: Instant) {
        let Some(chain) = self.by_name.get_mut(name) else { return };
        if let Some(before) = chain.paused_until.replace(until) {
            self.pauses.remove(&(before, name.clone()));
        }
        self.pauses.insert((until, name.clone()));
    }
}

impl Chain {
    // NL-8.12
    /// The next step, if the chain need not wait.
    fn next(&mut self, name: &ChainName) -> Option<Step> {
        let index = self.members.iter().position(|member| member.state != State::InFlight)?;
        let before = index.checked_sub(1).map(|index| &self.members[index].link);
        // Whatever comes behind a dead letter or a failure waits for it.
        let waits = before.is_some_and(|link| !self.is_pipelined || matches!(link.work, Work::DeadLetterEntry(_)));
        let after = before.map(|link| link.id);
        let member = &mut self.members[index];
        if waits || member.state == State::Failed {
            return None;
        }
        member.state = State::InFlight;
        let (chain, id) = (name.clone(), member.link.id);
        Some(match &member.link.work {
            Work::Publish(draft) => Step::Publish { chain, id, draft: draft.clone(), after },
            Work::DeadLetterEntry(problem) => Step::DeadLetterEntry { chain, id, problem: problem.clone() },
        })
    }
}

#[cfg(test)]
mod tests;
