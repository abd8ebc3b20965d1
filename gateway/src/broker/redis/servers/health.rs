//! What keeps the broker from serving, all or a part of the channels.

use super::topology::Master;
use crate::broker::Readiness;
use gateway_core::model::lock;
use std::{collections::BTreeMap, sync::Mutex};

/// A part that has to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HealthPart {
    /// Which master of a cluster serves what.
    Map,
    /// That a server is what other nodes take it for.
    ServerAssignment(Master),
    /// The connection to a master that subscribes.
    Listener(Master),
    /// The round trip from a publish to its delivery.
    Canary(Master),
    /// Whether a master accepts writes.
    Writes(Master),
    /// A lane's connection for commands.
    Lane(Master, usize),
}

impl HealthPart {
    /// Whose part it is, of what a channel needs.
    fn of(self) -> Option<Master> {
        match self {
            Self::Map | Self::ServerAssignment(_) => None,
            Self::Listener(master) | Self::Canary(master) | Self::Writes(master) | Self::Lane(master, _) => Some(master),
        }
    }
}

/// How a part is, or a master with all of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Well,
    /// It has neither worked nor failed yet.
    Awaited(Box<str>),
    Troubled(Box<str>),
}

impl State {
    fn why(&self) -> Option<&str> {
        match self {
            Self::Well => None,
            Self::Awaited(why) | Self::Troubled(why) => Some(why),
        }
    }

    /// How two parts of one are together: what does not work says more than what was not tried yet.
    fn with<'a>(&'a self, other: &'a Self) -> &'a Self {
        match (self, other) {
            (Self::Troubled(_), _) | (Self::Awaited(_), Self::Well | Self::Awaited(_)) => self,
            _ => other,
        }
    }
}

/// All parts that are needed, and how they are.
#[derive(Debug, Default)]
pub(crate) struct Health {
    parts: Mutex<BTreeMap<HealthPart, State>>,
}

const SLOW: &str = "Redis did not answer in time";

impl Health {
    /// A part that has to begin to work; `address` is that of its server. What comes to those that work already is not awaited: they serve meanwhile.
    pub(crate) fn expect(&self, part: HealthPart, address: &str) {
        let (mut parts, why) = (lock(&self.parts), format!("connecting to Redis at {address}").into());
        let is_late = parts.values().any(|state| *state == State::Well);
        parts.entry(part).or_insert(if is_late { State::Troubled(why) } else { State::Awaited(why) });
    }

    /// The part works, if it is needed.
    pub(crate) fn well(&self, part: HealthPart) {
        lock(&self.parts).entry(part).and_modify(|state| *state = State::Well);
    }

    /// The part is not needed any more.
    pub(crate) fn forget(&self, part: HealthPart) {
        lock(&self.parts).remove(&part);
    }

    /// The part does not work; the sentence names cause and cure. True if that is news.
    pub(crate) fn trouble(&self, part: HealthPart, why: &str) -> bool {
        let trouble = State::Troubled(why.into());
        lock(&self.parts).insert(part, trouble.clone()).is_none_or(|before| before != trouble)
    }

    /// The same, and into the log, once.
    pub(crate) fn warn(&self, part: HealthPart, why: &str) {
        if self.trouble(part, why) {
            tracing::warn!(?part, "{why}");
        }
    }

    /// What is wrong with a part.
    pub(crate) fn why(&self, part: HealthPart) -> Box<str> {
        lock(&self.parts).get(&part).and_then(State::why).unwrap_or(SLOW).into()
    }

    /// What is wrong with any part.
    pub(crate) fn why_any(&self) -> Box<str> {
        lock(&self.parts).values().find_map(State::why).unwrap_or(SLOW).into()
    }

    /// Ready in part as long as one master serves: with all nodes taken out of service for one that is away, nobody would reach the others either.
    pub(crate) fn readiness(&self) -> Readiness {
        let parts = lock(&self.parts);
        let masters = masters(&parts);
        let others = parts.iter().filter(|(part, _)| part.of().is_none());
        let whys: Vec<_> = others.map(|(_, state)| state).chain(masters.values().copied()).filter_map(State::why).collect();
        if whys.is_empty() {
            return Readiness::Ready;
        }
        let stops = |(part, state): (&HealthPart, &State)| match part {
            HealthPart::ServerAssignment(_) => *state != State::Well,
            _ => part.of().is_none() && matches!(state, State::Awaited(_)),
        };
        let is_awaited = masters.values().any(|state| matches!(state, State::Awaited(_)));
        let serves = masters.values().any(|state| **state == State::Well);
        let why = whys.join("; ").into();
        if serves && !is_awaited && !parts.iter().any(stops) { Readiness::Partly(why) } else { Readiness::NotReady(why) }
    }

    /// Masters that serve, and that do not.
    pub(crate) fn count(&self) -> (usize, usize) {
        let parts = lock(&self.parts);
        let masters = masters(&parts);
        let serving = masters.values().filter(|state| ***state == State::Well).count();
        (serving, masters.len() - serving)
    }
}

fn masters(parts: &BTreeMap<HealthPart, State>) -> BTreeMap<Master, &State> {
    let mut masters: BTreeMap<Master, &State> = BTreeMap::new();
    for (part, state) in parts {
        if let Some(master) = part.of() {
            masters.entry(master).and_modify(|all| *all = all.with(state)).or_insert(state);
        }
    }
    masters
}

#[cfg(test)]
mod tests;
