//! What keeps the broker from serving.

use super::topology::Master;
use crate::broker::{Readiness, lock};
use std::{collections::BTreeMap, sync::Mutex};

/// A part that has to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Which master of a cluster serves what.
    Map,
    /// The connection to a master that subscribes.
    Listener(Master),
    /// The round trip from a publish to its delivery.
    Canary(Master),
    /// A lane's connection for commands.
    Lane(Master, usize),
}

/// Troubles by part; each part that is awaited starts with one, until it has said that it works.
#[derive(Debug, Default)]
pub(super) struct Health {
    troubles: Mutex<BTreeMap<Part, Box<str>>>,
}

const SLOW: &str = "Redis did not answer in time";

impl Health {
    /// A part that has to begin to work; `address` is that of its server.
    pub(super) fn expect(&self, part: Part, address: &str) {
        lock(&self.troubles).entry(part).or_insert_with(|| format!("connecting to Redis at {address}").into());
    }

    /// The part works; or it is not needed any more.
    pub(super) fn well(&self, part: Part) {
        lock(&self.troubles).remove(&part);
    }

    /// The part does not work; the sentence names cause and cure. True if that is news.
    pub(super) fn trouble(&self, part: Part, why: &str) -> bool {
        lock(&self.troubles).insert(part, why.into()).is_none_or(|before| *before != *why)
    }

    /// The same, and into the log, once.
    pub(super) fn warn(&self, part: Part, why: &str) {
        if self.trouble(part, why) {
            tracing::warn!(?part, "{why}");
        }
    }

    /// What is wrong with a part.
    pub(super) fn why(&self, part: Part) -> Box<str> {
        lock(&self.troubles).get(&part).cloned().unwrap_or_else(|| SLOW.into())
    }

    /// What is wrong with any part.
    pub(super) fn why_any(&self) -> Box<str> {
        lock(&self.troubles).first_key_value().map_or_else(|| SLOW.into(), |(_, why)| why.clone())
    }

    pub(super) fn readiness(&self) -> Readiness {
        lock(&self.troubles).first_key_value().map_or(Readiness::Ready, |(_, why)| Readiness::NotReady(why.clone()))
    }
}
