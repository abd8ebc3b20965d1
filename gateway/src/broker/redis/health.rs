//! What keeps the broker from serving.

use crate::broker::{Readiness, lock};
use std::{collections::BTreeMap, sync::Mutex};

/// A part that has to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The connection that subscribes.
    Listener,
    /// The round trip from a publish to its delivery.
    Canary,
    /// A connection for commands.
    Lane(usize),
}

/// Troubles by part; each part starts with one, until it has said that it works.
#[derive(Debug)]
pub(super) struct Health {
    troubles: Mutex<BTreeMap<Part, Box<str>>>,
}

impl Health {
    pub(super) fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self { troubles: Mutex::new(parts.into_iter().map(|part| (part, "connecting to Redis".into())).collect()) }
    }

    /// The part works.
    pub(super) fn well(&self, part: Part) {
        lock(&self.troubles).remove(&part);
    }

    /// The part does not work; the sentence names cause and cure. True if that is news.
    pub(super) fn trouble(&self, part: Part, why: &str) -> bool {
        lock(&self.troubles).insert(part, why.into()).is_none_or(|before| *before != *why)
    }

    /// What is wrong with a part.
    pub(super) fn why(&self, part: Part) -> Box<str> {
        lock(&self.troubles).get(&part).cloned().unwrap_or_else(|| "Redis did not answer in time".into())
    }

    pub(super) fn readiness(&self) -> Readiness {
        lock(&self.troubles).first_key_value().map_or(Readiness::Ready, |(_, why)| Readiness::NotReady(why.clone()))
    }
}
