//! How far an owner has read.

use crate::{model::Tick, queue::EntryId};

/// How far the owner has read.
#[derive(Debug, Default)]
pub(in crate::queue::owner) struct Reading {
    pub(in crate::queue::owner) phase: Phase,
    pub(in crate::queue::owner) under_way: Option<UnderWay>,
    /// All entries up to this one are done or in the backlog.
    pub(in crate::queue::owner) last: Option<EntryId>,
    pub(in crate::queue::owner) stopped: Option<Stopped>,
}

// NL-8.6
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::queue::owner) enum Phase {
    /// There may be pending entries that the owner does not know.
    #[default]
    Pending,
    /// All pending entries are known, and there may be new ones.
    New,
    /// There are no new entries.
    Idle,
}

#[derive(Debug)]
pub(in crate::queue::owner) enum UnderWay {
    Pending,
    New,
    /// Chain and entry, in the order of the request.
    Load(Vec<(usize, EntryId)>),
}

/// The owner reads nothing because of keys that wait.
#[derive(Debug)]
pub(in crate::queue::owner) struct Stopped {
    /// The key with most entries.
    pub(in crate::queue::owner) key: Box<str>,
    pub(in crate::queue::owner) look_again: Tick,
}
