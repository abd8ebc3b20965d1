//! The history of a channel: what is kept, and how it is read.

use super::{Epoch, Position, Publication};
use std::{sync::Arc, time::Duration};

/// Which publications of a channel the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Number of newest publications that are kept, at least 1.
    pub size: u32,
    /// The history expires this long after the last publication.
    pub ttl: Duration,
}

/// Which publications to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadRange {
    /// None, only epoch, top and forks.
    Top,
    /// Those after this offset, oldest first.
    After(u64),
    /// Those before this offset, newest first; none: all, newest first.
    Before(Option<u64>),
}

/// The limits of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageLimit {
    /// Largest number of publications.
    pub entries: usize,
    /// Largest size in bytes, measured by [`Publication::size`]. The first publication is returned even if it is larger.
    pub bytes: usize,
}

impl PageLimit {
    /// The limit for each of `reads` reads that share this limit.
    #[must_use]
    pub fn divided_by(self, reads: usize) -> Self {
        Self { entries: (self.entries / reads.max(1)).max(1), bytes: self.bytes / reads.max(1) }
    }
}

/// The result of a read: the state of the channel at one moment.
#[derive(Clone, Debug)]
pub struct Page {
    /// The current epoch. A read of a channel without an epoch creates one.
    pub epoch: Epoch,
    /// Offset of the newest publication, whether still kept or not; 0 if there was none yet.
    pub top: u64,
    /// The forks of earlier epochs, newest first.
    pub forks: Vec<Position>,
    /// The publications, in the order of the [`ReadRange`].
    pub publications: Vec<Arc<Publication>>,
}

impl Page {
    // NL-4.6
    /// The page of a reader that continues at `range`. A page of [`ReadRange::After`] ends before the first offset that is missing among its
    /// publications. So a reader that continues there learns of the loss.
    #[must_use]
    pub fn until_gap(mut self, range: ReadRange) -> Self {
        let offset = |publication: &Arc<Publication>| publication.position.map(|position| position.offset);
        if matches!(range, ReadRange::After(_)) {
            let gap = self.publications.windows(2).position(|pair| offset(&pair[0]).map(|offset| offset + 1) != offset(&pair[1]));
            self.publications.truncate(gap.map_or(usize::MAX, |last| last + 1));
        }
        self
    }
}

/// How old the result of a read may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The read has to begin after the call.
    Fresh,
    /// It may be the result of a read that began before the call. The caller notices what the result lacks, and reads again.
    Any,
}
