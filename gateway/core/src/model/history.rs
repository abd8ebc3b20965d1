//! A channel's history: what is kept of it, and how it is read.

use super::{Epoch, Position, Publication};
use std::{sync::Arc, time::Duration};

/// What the store keeps of a channel's publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Newest publications that are kept, at least 1.
    pub size: u32,
    /// How long each is kept after the last publication.
    pub ttl: Duration,
}

/// Which publications to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// None: only epoch, top and forks.
    Top,
    /// Oldest first, from the one after this offset.
    After(u64),
    /// Newest first, from the one before this offset; none: from the newest.
    Before(Option<u64>),
}

/// Bounds of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageLimit {
    /// Publications at most.
    pub entries: usize,
    /// Bytes ([`Publication::size`]) at most; the first publication comes whatever its size.
    pub bytes: usize,
}

impl PageLimit {
    /// The part of each of so many reads that have the bounds of one together.
    #[must_use]
    pub fn shared_by(self, reads: usize) -> Self {
        Self { entries: (self.entries / reads.max(1)).max(1), bytes: self.bytes / reads.max(1) }
    }
}

/// What a read found, at one moment.
#[derive(Clone, Debug)]
pub struct Page {
    /// The current timeline. A read creates the epoch of a channel that has none.
    pub epoch: Epoch,
    /// Offset of the newest publication ever, 0 if none yet.
    pub top: u64,
    /// Where earlier timelines were left, newest first.
    pub forks: Vec<Position>,
    /// In the order asked for.
    pub publications: Vec<Arc<Publication>>,
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Of a later moment than this one.
    Fresh,
    /// Of any moment: who asks sees what it lacks, and asks again.
    Any,
}
