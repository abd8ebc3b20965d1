//! What one worker knows about the stream of one channel. Only the feed detects gaps.
//!
//! Live deliveries may be lost on their way from the store (a full mailbox, a broken connection). The feed passes on the publication that
//! follows its position and drops duplicates. At a gap it buffers all live publications until reads of the stream have closed the gap.
//!
//! If live deliveries are lost again within a second, buffering does not help, and the feed enters pull mode. In pull mode a live publication
//! only shows that there is something to read. The worker reads at its own pace. Pull mode ends when no loss has occurred for a second.

use super::gap_buffer::{GapBuffer, GapBufferBudget};
use crate::model::{Epoch, Freshness, Page, Position, Publication, Tick};
use std::{sync::Arc, time::Duration};

/// A second loss within this time starts pull mode. Pull mode lasts at least this long after the last loss.
const PULL_MODE_AFTER_LOSS: Duration = Duration::from_secs(1);
/// Pause between two reads in pull mode.
pub const PULL_INTERVAL: Duration = Duration::from_millis(100);

// NL-0.1, NL-4.2
/// The position of one worker in the stream of one channel; see the module.
#[derive(Debug)]
pub struct Feed {
    budget: Arc<GapBufferBudget>,
    position: Option<Position>,
    /// The forks that the last page named.
    forks: Vec<Position>,
    /// Present while the feed catches up. `None` while it is live.
    gap: Option<Box<GapBuffer>>,
    /// When live deliveries were last lost.
    last_loss: Option<Tick>,
}

/// What to do with a publication that arrived live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is the next one: deliver it.
    Deliver,
    /// It was delivered before: drop it.
    Duplicate,
    /// The feed has kept it until the current read ends.
    Buffered,
    /// The feed has kept it. Start a read after the feed's position.
    Gap,
}

/// The result of [`Feed::apply`].
#[derive(Debug, PartialEq, Eq)]
pub struct PageOutcome {
    /// Whether the stream continues for the subscribers. Handle this before the deliveries.
    pub continuity: Continuity,
    /// Publications to deliver, in this order.
    pub deliver: Vec<Arc<Publication>>,
    /// What to do afterwards.
    pub next: Next,
}

/// Whether the stream continues where the subscribers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It does, in the same epoch.
    Unbroken,
    /// The stream continues in a new epoch. The subscribers have to learn the epoch: otherwise their next recovery names the old one, in
    /// which the same offsets mean other publications.
    EpochChanged(EpochChange),
    /// The missing publications are no longer stored. The gateway has to tell the subscribers that publications are lost, and they have to
    /// subscribe again.
    Broken,
}

/// The change from one epoch to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochChange {
    /// The feed's position when the change was noticed, written in the new epoch.
    pub position: Position,
    /// Both epochs hold the same publications up to this offset. It is at least the offset of `position`.
    pub fork_offset: u64,
}

/// What to do after a page was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read again, after this offset.
    Read(u64, Freshness),
    /// Nothing is missing now. Call [`Feed::pull`] after [`PULL_INTERVAL`].
    Pull,
    /// Nothing: the gap is closed.
    Live,
}

impl Feed {
    /// A feed without a position. Its gap buffer takes bytes from `budget`.
    pub fn new(budget: Arc<GapBufferBudget>) -> Self {
        Self { budget, position: None, forks: Vec::new(), gap: None, last_loss: None }
    }

    /// The position of the last publication that was delivered. `None` until [`Feed::start`] or the first delivery.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    // NL-0.4, NL-4.2
    /// Takes a publication that arrived live. A publication without a position is not part of the stream and is always delivered.
    pub fn receive(&mut self, publication: &Arc<Publication>) -> Disposition {
        let Some(at) = publication.position else { return Disposition::Deliver };
        if let Some(gap) = &mut self.gap {
            gap.push(publication);
            return Disposition::Buffered;
        }
        let Some(position) = &mut self.position else {
            self.position = Some(at);
            return Disposition::Deliver;
        };
        if at.epoch == position.epoch && at.offset <= position.offset {
            return Disposition::Duplicate;
        }
        if at.epoch == position.epoch && at.offset == position.offset + 1 {
            position.offset = at.offset;
            return Disposition::Deliver;
        }
        self.open_gap().push(publication);
        Disposition::Gap
    }

    fn open_gap(&mut self) -> &mut GapBuffer {
        self.gap.insert(Box::new(GapBuffer::new(&self.budget)))
    }

    /// Notes that something may have been lost before now. Returns the offset after which a read has to start. `None` if a read is already under
    /// way, or if the feed has no position yet.
    pub fn require_read(&mut self) -> Option<u64> {
        if let Some(gap) = &mut self.gap {
            gap.require_another_read();
            return None;
        }
        self.open_gap();
        self.position.map(|position| position.offset)
    }

    // NL-4.9
    /// Notes that live deliveries were lost. As [`Self::require_read`]; a second loss within a second also starts pull mode.
    pub fn deliveries_lost(&mut self, now: Tick) -> Option<u64> {
        let repeated = self.last_loss.replace(now).is_some_and(|before| now.since(before) < PULL_MODE_AFTER_LOSS);
        let read = self.require_read();
        if let Some(gap) = &mut self.gap
            && repeated
        {
            gap.enter_pull_mode();
        }
        read
    }

    // NL-1.5
    /// Notes the position of the newest publication in the store. Returns the offset after which a read has to start, if the feed is behind.
    pub fn observe_top(&mut self, top: Position) -> Option<u64> {
        match (&mut self.gap, self.position) {
            (None, Some(position)) if position.epoch == top.epoch && position.offset >= top.offset => None,
            (Some(gap), _) => {
                gap.require_read_until(top);
                None
            }
            (None, _) => self.require_read(),
        }
    }

    /// Notes that a subscriber was attached at `cursor`. The first subscriber gives the feed its position. Returns the offset after which a read
    /// has to start, if one was required before.
    pub fn start(&mut self, cursor: Position) -> Option<u64> {
        if self.position.is_some() {
            return None;
        }
        self.position = Some(cursor);
        self.gap.is_some().then_some(cursor.offset)
    }

    // NL-1.4
    /// Converts `from` to the current epoch. None if `from` is ahead of the feed, or if the known forks do not prove that `from` is valid
    /// in the current epoch.
    pub fn in_current_epoch(&self, from: Position) -> Option<Position> {
        let position = self.position.filter(|position| from.offset <= position.offset)?;
        is_valid(from, position.epoch, &self.forks).then_some(Position { epoch: position.epoch, offset: from.offset })
    }

    // NL-1.5, NL-4.5, NL-4.6
    /// Applies a page with the publications that follow the feed's position.
    pub fn apply(&mut self, page: Page) -> PageOutcome {
        let mut gap = self.gap.take().unwrap_or_else(|| Box::new(GapBuffer::new(&self.budget)));
        let before = self.position.filter(|p| is_valid(*p, page.epoch, &page.forks)).filter(|p| continues(p.offset, &page));
        let (continuity, mut position, read) = match before {
            Some(position) if position.epoch == page.epoch => (Continuity::Unbroken, position, page.publications),
            Some(old) => {
                let fork = page.forks.iter().find(|fork| fork.epoch == old.epoch);
                let position = Position { epoch: page.epoch, ..old };
                let fork_offset = fork.map_or(old.offset, |fork| fork.offset);
                (Continuity::EpochChanged(EpochChange { position, fork_offset }), position, page.publications)
            }
            None => (Continuity::Broken, Position { epoch: page.epoch, offset: page.top }, Vec::new()),
        };
        // A publication of the epoch before this page is obsolete. One of a third epoch may be newer than the page: another read tells.
        let old_epoch = self.position.map(|position| position.epoch);
        let (mut read_again, required) = gap.take_required_reads();
        let mut read_until = page.top;
        let mut observe = |at: Position| match at.epoch {
            epoch if epoch == page.epoch => read_until = read_until.max(at.offset),
            epoch => read_again |= Some(epoch) != old_epoch,
        };
        let mut deliver = Vec::new();
        for publication in read.into_iter().chain(gap.take()) {
            let Some(at) = publication.position else { continue };
            if at == (Position { offset: position.offset + 1, ..position }) {
                position.offset = at.offset;
                deliver.push(publication);
            } else {
                observe(at);
            }
        }
        required.into_iter().for_each(&mut observe);
        (self.position, self.forks) = (Some(position), page.forks);
        let next = if read_again || read_until > position.offset {
            gap.require_read_until(Position { offset: read_until, ..position });
            self.gap = Some(gap);
            Next::Read(position.offset, if read_again { Freshness::Fresh } else { Freshness::Any })
        } else if gap.is_in_pull_mode() {
            self.gap = Some(gap);
            Next::Pull
        } else {
            Next::Live
        };
        PageOutcome { continuity, deliver, next }
    }

    /// What to do in pull mode after [`PULL_INTERVAL`]. The feed becomes live again if no loss has occurred for a second and nothing has to be
    /// read.
    pub fn pull(&mut self, now: Tick) -> Next {
        let (Some(gap), Some(position)) = (&mut self.gap, self.position) else { return Next::Live };
        let (read_again, read_until) = gap.take_required_reads();
        if read_again || read_until.is_some_and(|until| until.epoch != position.epoch || until.offset > position.offset) {
            if let Some(until) = read_until {
                gap.require_read_until(until);
            }
            return Next::Read(position.offset, Freshness::Fresh);
        }
        if self.last_loss.is_some_and(|lost| now.since(lost) < PULL_MODE_AFTER_LOSS) {
            return Next::Pull;
        }
        self.gap = None;
        Next::Live
    }
}

// NL-1.3
/// Whether nothing up to `position` was lost since: it is in the current epoch, or in an earlier epoch and not beyond that epoch's fork.
pub fn is_valid(position: Position, epoch: Epoch, forks: &[Position]) -> bool {
    position.epoch == epoch || forks.iter().any(|fork| fork.epoch == position.epoch && position.offset <= fork.offset)
}

/// Whether a page that was read after `offset` begins with the next publication. An empty page does if `offset` is the newest one.
pub fn continues(offset: u64, page: &Page) -> bool {
    match page.publications.first().and_then(|first| first.position) {
        Some(first) => first.offset == offset + 1,
        None => page.top == offset,
    }
}

#[cfg(test)]
mod tests;
