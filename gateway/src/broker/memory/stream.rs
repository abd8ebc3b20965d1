//! The history of one channel.

use gateway_core::model::{Page, PageLimit, Position, Publication, ReadRange, Retention, Tick};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Number of publications, and their size including the overhead of their channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) publications: usize,
    pub(super) bytes: usize,
}

impl Held {
    /// Updates a sum after one of its parts changed.
    pub(super) fn replace(&mut self, before: Self, after: Self) {
        self.publications = self.publications - before.publications + after.publications;
        self.bytes = self.bytes - before.bytes + after.bytes;
    }
}

/// The position of a channel, and its newest publications. They end at the position and have no gaps.
#[derive(Debug)]
pub(super) struct Stream {
    position: Position,
    held: VecDeque<Arc<Publication>>,
    bytes: usize,
    ttl: Duration,
    /// When the newest publication was stored.
    last: Tick,
    /// When the shard checks the stream again; set while the stream contains publications.
    pub(super) timer: Option<Tick>,
}

impl Stream {
    /// Approximate size of a channel with publications, in bytes, without the publications.
    const CHANNEL_OVERHEAD: usize = 320;

    /// An empty stream that continues at this position.
    pub(super) fn new(position: Position, ttl: Duration) -> Self {
        Self { position, held: VecDeque::new(), bytes: 0, ttl, last: Tick(0), timer: None }
    }

    /// The newest position.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn held(&self) -> Held {
        let overhead = if self.is_empty() { 0 } else { Self::CHANNEL_OVERHEAD };
        Held { publications: self.held.len(), bytes: self.bytes + overhead }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(super) fn expires(&self) -> Tick {
        self.last.after(self.ttl)
    }

    /// The position of the next publication.
    pub(super) fn next(&self) -> Position {
        Position { offset: self.position.offset + 1, ..self.position }
    }

    /// Appends a publication, which has the position [`Self::next`]. Returns the number of trimmed publications.
    pub(super) fn append(&mut self, publication: Arc<Publication>, retention: Retention, now: Tick) -> usize {
        self.position = self.next();
        debug_assert_eq!(publication.position, Some(self.position));
        self.ttl = retention.ttl;
        // Each publisher reads the clock before it takes the lock, so `now` may be earlier than `last`.
        self.last = self.last.max(now);
        let room = retention.size.max(1) as usize - 1;
        let removed = self.drop_oldest(|stream, _| stream.held.len() > room);
        self.bytes += publication.size();
        self.held.push_back(publication);
        removed
    }

    /// Removes all publications if they have expired. Returns their number.
    pub(super) fn expire(&mut self, now: Tick) -> usize {
        if self.expires() <= now { self.clear() } else { 0 }
    }

    /// Removes all publications and returns their number. The position stays.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.held).len()
    }

    /// Removes the oldest publications until at least `bytes` are free, or none is left. Returns the number of removed publications.
    pub(super) fn free(&mut self, bytes: usize) -> usize {
        self.drop_oldest(|_, freed| freed < bytes)
    }

    /// Removes the oldest publications while `more` returns true. Its argument is the number of bytes that were freed so far.
    fn drop_oldest(&mut self, more: impl Fn(&Self, usize) -> bool) -> usize {
        let (before, bytes) = (self.held.len(), self.bytes);
        while more(self, bytes - self.bytes)
            && let Some(oldest) = self.held.pop_front()
        {
            self.bytes -= oldest.size();
        }
        before - self.held.len()
    }

    /// The publications in `range`, within `limit`.
    pub(super) fn page(&self, range: ReadRange, limit: PageLimit) -> Page {
        let before_first = self.position.offset - self.held.len() as u64;
        let index = |offset: u64| offset.clamp(before_first, self.position.offset).abs_diff(before_first) as usize;
        let publications = match range {
            ReadRange::Top => Vec::new(),
            ReadRange::After(offset) => within(self.held.range(index(offset)..), limit),
            ReadRange::Before(None) => within(self.held.iter().rev(), limit),
            ReadRange::Before(Some(offset)) => within(self.held.range(..index(offset.saturating_sub(1))).rev(), limit),
        };
        Page { publications, ..empty_page(self.position) }
    }
}

/// A page without publications. This broker has no forks, because its timelines end with the process.
pub(super) fn empty_page(position: Position) -> Page {
    Page { epoch: position.epoch, top: position.offset, forks: Vec::new(), publications: Vec::new() }
}

fn within<'a>(publications: impl Iterator<Item = &'a Arc<Publication>>, limit: PageLimit) -> Vec<Arc<Publication>> {
    let mut bytes = 0usize;
    let fits = |publication: &&Arc<Publication>| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(publication.size());
        first || bytes <= limit.bytes
    };
    publications.take(limit.entries).take_while(fits).cloned().collect()
}
