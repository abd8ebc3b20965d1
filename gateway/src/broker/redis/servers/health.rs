//! The state of each part of the broker that must work, and the node's readiness that follows from the states.

use super::topology::Master;
use crate::broker::Readiness;
use gateway_core::model::lock;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Mutex,
};

/// A part of the broker that must work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HealthPart {
    /// The slot map of a Redis Cluster.
    SlotMap,
    /// The agreement of all nodes on the role of a server.
    ServerAssignment(Master),
    /// The connection that subscribes at a master.
    Subscriber(Master),
    /// The round trip from a publish at a master to its delivery.
    Canary(Master),
    /// Whether a master accepts writes.
    Writes(Master),
    /// The connection of a lane to a master.
    Lane(Master, usize),
}

impl HealthPart {
    /// The master whose channels depend on this part. None for the other parts.
    fn of(self) -> Option<Master> {
        match self {
            Self::SlotMap | Self::ServerAssignment(_) => None,
            Self::Subscriber(master) | Self::Canary(master) | Self::Writes(master) | Self::Lane(master, _) => Some(master),
        }
    }
}

/// The state of a part, or of a master with all its parts. The text names the problem and its cure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Working,
    /// The part has neither worked nor failed yet.
    Pending(Box<str>),
    Failed(Box<str>),
}

impl State {
    fn problem(&self) -> Option<&str> {
        match self {
            Self::Working => None,
            Self::Pending(problem) | Self::Failed(problem) => Some(problem),
        }
    }
}

/// A required part, and its state.
#[derive(Clone, Debug)]
struct RequiredPart {
    /// The address of the part's server. Empty if it is not known.
    address: Box<str>,
    state: State,
}

impl RequiredPart {
    /// The entry with the worse state. Failed is worse than pending, and pending is worse than working.
    fn worse<'a>(&'a self, other: &'a Self) -> &'a Self {
        match (&self.state, &other.state) {
            (State::Failed(_), _) | (State::Pending(_), State::Working | State::Pending(_)) => self,
            _ => other,
        }
    }
}

/// The states of all required parts.
#[derive(Debug, Default)]
pub(crate) struct Health {
    parts: Mutex<BTreeMap<HealthPart, RequiredPart>>,
}

const NO_ANSWER: &str = "Redis did not answer in time";

impl Health {
    /// Adds a part that must work from now on. `address` is the address of its server. While the node starts, the part is pending. Once
    /// another part works, a new part counts as failed, so that a node that already serves stays partly ready.
    pub(crate) fn require(&self, part: HealthPart, address: &str) {
        let (mut parts, problem) = (lock(&self.parts), format!("connecting to Redis at {address}").into());
        let is_serving = parts.values().any(|entry| entry.state == State::Working);
        let state = if is_serving { State::Failed(problem) } else { State::Pending(problem) };
        parts.entry(part).or_insert(RequiredPart { address: address.into(), state });
    }

    /// Records that the part works. Does nothing if the part is not required.
    pub(crate) fn set_working(&self, part: HealthPart) {
        lock(&self.parts).entry(part).and_modify(|entry| entry.state = State::Working);
    }

    /// Removes a part that is no longer required.
    pub(crate) fn remove(&self, part: HealthPart) {
        lock(&self.parts).remove(&part);
    }

    /// Records that the part failed. The text names the cause and the cure. Returns whether this state is new.
    pub(crate) fn set_failed(&self, part: HealthPart, problem: &str) -> bool {
        let failed = State::Failed(problem.into());
        match lock(&self.parts).entry(part) {
            Entry::Occupied(mut entry) => std::mem::replace(&mut entry.get_mut().state, failed.clone()) != failed,
            Entry::Vacant(entry) => {
                entry.insert(RequiredPart { address: "".into(), state: failed });
                true
            }
        }
    }

    /// Like [`Self::set_failed`]. Also logs the problem if the state is new.
    pub(crate) fn warn(&self, part: HealthPart, problem: &str) {
        if self.set_failed(part, problem) {
            tracing::warn!(?part, "{problem}");
        }
    }

    /// The problem of a part, for error messages.
    pub(crate) fn problem(&self, part: HealthPart) -> Box<str> {
        lock(&self.parts).get(&part).and_then(|entry| entry.state.problem()).unwrap_or(NO_ANSWER).into()
    }

    /// The problem of any part that has one, for error messages.
    pub(crate) fn any_problem(&self) -> Box<str> {
        lock(&self.parts).values().find_map(|entry| entry.state.problem()).unwrap_or(NO_ANSWER).into()
    }

    /// The readiness of the node. The node is partly ready if at least one master works. Otherwise, one failed master would take all nodes
    /// out of service, and the other masters would be unreachable for clients too.
    pub(crate) fn readiness(&self) -> Readiness {
        let parts = lock(&self.parts);
        let masters = masters(&parts);
        let others = parts.iter().filter(|(part, _)| part.of().is_none());
        let problem = join_problems(others.map(|(_, entry)| entry).chain(masters.values().copied()));
        if problem.is_empty() {
            return Readiness::Ready;
        }
        let blocks = |(part, entry): (&HealthPart, &RequiredPart)| match part {
            HealthPart::ServerAssignment(_) => entry.state != State::Working,
            _ => part.of().is_none() && matches!(entry.state, State::Pending(_)),
        };
        let is_pending = masters.values().any(|entry| matches!(entry.state, State::Pending(_)));
        let is_serving = masters.values().any(|entry| entry.state == State::Working);
        if is_serving && !is_pending && !parts.iter().any(blocks) { Readiness::Partly(problem) } else { Readiness::NotReady(problem) }
    }

    /// The number of masters of which all parts work, and the number of all other masters.
    pub(crate) fn count(&self) -> (usize, usize) {
        let parts = lock(&self.parts);
        let masters = masters(&parts);
        let serving = masters.values().filter(|entry| entry.state == State::Working).count();
        (serving, masters.len() - serving)
    }
}

/// The part with the worst state of each master.
fn masters(parts: &BTreeMap<HealthPart, RequiredPart>) -> BTreeMap<Master, &RequiredPart> {
    let mut masters: BTreeMap<Master, &RequiredPart> = BTreeMap::new();
    for (part, entry) in parts {
        if let Some(master) = part.of() {
            masters.entry(master).and_modify(|worst| *worst = worst.worse(entry)).or_insert(entry);
        }
    }
    masters
}

/// Joins all problems into one text. Problems that differ only in the address of the server become one problem with all addresses.
fn join_problems<'a>(entries: impl Iterator<Item = &'a RequiredPart>) -> Box<str> {
    let mut causes: Vec<((&str, &str), Vec<&str>)> = Vec::new();
    for RequiredPart { address, state } in entries {
        let Some(problem) = state.problem() else { continue };
        let (text, address) = match problem.split_once(&**address) {
            Some(text) if !address.is_empty() => (text, &**address),
            _ => ((problem, ""), ""),
        };
        match causes.iter_mut().find(|(cause, _)| *cause == text) {
            Some((_, addresses)) if addresses.contains(&address) => {}
            Some((_, addresses)) => addresses.push(address),
            None => causes.push((text, vec![address])),
        }
    }
    let texts: Vec<_> = causes.iter().map(|((before, after), addresses)| format!("{before}{}{after}", addresses.join(", "))).collect();
    texts.join("; ").into()
}

#[cfg(test)]
mod tests;
