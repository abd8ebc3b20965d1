//! What one worker knows of the stream of one channel: the only detector of gaps.
//!
//! Publications come over a lane that may lose some (a full mailbox, a broken connection to the store). The feed lets through what
//! continues its position, drops what it had, and on a gap holds back everything until reads of the stream have closed it.
//!
//! Where the lane loses something again and again, holding back is in vain. Then the feed pulls: all that comes over the lane is only taken as
//! a sign that there is something to read, at the pace of the worker, until the lane has lost nothing for a while.

use super::hold::{Hold, HoldRoom};
use crate::model::{Age, Epoch, Page, Position, Publication, Tick};
use std::{sync::Arc, time::Duration};

/// A lane that lost something twice within this time carries more than its worker can take.
const SOON: Duration = Duration::from_secs(1);
/// Between two reads of a feed that pulls.
pub const PAUSE: Duration = Duration::from_millis(100);

// NL-0.1, NL-4.2
/// See the module.
#[derive(Debug)]
pub struct Feed {
    room: Arc<HoldRoom>,
    position: Option<Position>,
    /// Where earlier timelines were left, as the last page told.
    forks: Vec<Position>,
    catching_up: Option<Box<Hold>>,
    /// When the lane last lost something.
    lost: Option<Tick>,
}

/// What to do with a publication from the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is next: deliver it.
    Deliver,
    /// It was delivered before.
    Duplicate,
    /// It waits for a read that is under way.
    Held,
    /// It waits, and a read from the position has to begin.
    Gap,
}

/// What a page of the stream brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Caught {
    /// What becomes of those who are subscribed, before anything is delivered.
    pub subscribers: Subscribers,
    /// Deliver these, in this order.
    pub deliver: Vec<Arc<Publication>>,
    /// And then.
    pub next: Next,
}

/// See [`Caught`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribers {
    /// They go on.
    GoOn,
    /// A new timeline has begun, which continues theirs. They have to learn of it: else their next recovery would name an epoch whose
    /// offsets mean something else by then.
    Cross(Fork),
    /// The stream no longer holds what is missing. They have to be told, and subscribe again.
    Lost,
}

/// Where one timeline was left for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Where the feed stood, in the new timeline.
    pub at: Position,
    /// Up to this offset, at least that of `at`, both timelines hold the same.
    pub shared: u64,
}

/// See [`Caught`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read on after this offset.
    Read(u64, Age),
    /// Nothing is missing now. Call [`Feed::rested`] after [`PAUSE`].
    Rest,
    /// The gap is closed.
    Live,
}

impl Feed {
    /// One that knows nothing yet, and holds back what has room there.
    pub fn new(room: Arc<HoldRoom>) -> Self {
        Self { room, position: None, forks: Vec::new(), catching_up: None, lost: None }
    }

    /// The last publication that was delivered; none before anything is known.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    // NL-0.4, NL-4.2
    /// Takes a publication from the lane. One without a position is no part of the stream.
    pub fn offer(&mut self, publication: &Arc<Publication>) -> Offer {
        let Some(at) = publication.position else { return Offer::Deliver };
        if let Some(hold) = &mut self.catching_up {
            hold.push(publication);
            return Offer::Held;
        }
        let Some(position) = &mut self.position else {
            self.position = Some(at);
            return Offer::Deliver;
        };
        if at.epoch == position.epoch && at.offset <= position.offset {
            return Offer::Duplicate;
        }
        if at.epoch == position.epoch && at.offset == position.offset + 1 {
            position.offset = at.offset;
            return Offer::Deliver;
        }
        self.catch_up().push(publication);
        Offer::Gap
    }

    fn catch_up(&mut self) -> &mut Hold {
        self.catching_up.insert(Box::new(Hold::new(&self.room)))
    }

    /// Something may be missing, from some moment before this one. Answers where a read has to begin; none if one is under way or nothing is
    /// known yet.
    pub fn reread(&mut self) -> Option<u64> {
        if let Some(hold) = &mut self.catching_up {
            hold.spoil();
            return None;
        }
        self.catch_up();
        self.position.map(|position| position.offset)
    }

    // NL-4.9
    /// The lane lost something. As [`Self::reread`]; if it is the second time in a short while, the feed pulls from now on.
    pub fn dirty(&mut self, now: Tick) -> Option<u64> {
        let again = self.lost.replace(now).is_some_and(|before| now.since(before) < SOON);
        let read = self.reread();
        if let Some(hold) = &mut self.catching_up
            && again
        {
            hold.pull();
        }
        read
    }

    // NL-1.5
    /// The stream was seen to stand at `top`. Answers where a read has to begin, if less than that has come.
    pub fn stands_at(&mut self, top: Position) -> Option<u64> {
        match (&mut self.catching_up, self.position) {
            (None, Some(position)) if position.epoch == top.epoch && position.offset >= top.offset => None,
            (Some(hold), _) => {
                hold.reach(top);
                None
            }
            (None, _) => self.reread(),
        }
    }

    /// A subscriber was attached at `cursor`. The first one gives an unknown feed its position, and may find that a read is due.
    pub fn start(&mut self, cursor: Position) -> Option<u64> {
        if self.position.is_some() {
            return None;
        }
        self.position = Some(cursor);
        self.catching_up.is_some().then_some(cursor.offset)
    }

    // NL-1.4
    /// The same place in the current timeline; none if it is ahead of the position, or if what follows it is not known to be the same.
    pub fn resume(&self, from: Position) -> Option<Position> {
        let position = self.position.filter(|position| from.offset <= position.offset)?;
        is_valid(from, position.epoch, &self.forks).then_some(Position { epoch: position.epoch, offset: from.offset })
    }

    // NL-1.5, NL-4.5, NL-4.6
    /// Takes the page that was read after the position.
    pub fn page(&mut self, page: Page) -> Caught {
        let mut hold = self.catching_up.take().unwrap_or_else(|| Box::new(Hold::new(&self.room)));
        let before = self.position.filter(|p| is_valid(*p, page.epoch, &page.forks)).filter(|p| continues(p.offset, &page));
        let (subscribers, mut position, read) = match before {
            Some(position) if position.epoch == page.epoch => (Subscribers::GoOn, position, page.publications),
            Some(old) => {
                let left = page.forks.iter().find(|fork| fork.epoch == old.epoch);
                let at = Position { epoch: page.epoch, ..old };
                (Subscribers::Cross(Fork { at, shared: left.map_or(old.offset, |left| left.offset) }), at, page.publications)
            }
            None => (Subscribers::Lost, Position { epoch: page.epoch, offset: page.top }, Vec::new()),
        };
        // What is of the epoch that the page has left is gone. Of yet another one: older, or newer than the page; one more read tells.
        let left = self.position.map(|position| position.epoch);
        let (mut again, reach_before) = hold.take_wants();
        let mut reach = page.top;
        let mut seen = |at: Position| match at.epoch {
            epoch if epoch == page.epoch => reach = reach.max(at.offset),
            epoch => again |= Some(epoch) != left,
        };
        let mut deliver = Vec::new();
        for publication in read.into_iter().chain(hold.take()) {
            let Some(at) = publication.position else { continue };
            if at == (Position { offset: position.offset + 1, ..position }) {
                position.offset = at.offset;
                deliver.push(publication);
            } else {
                seen(at);
            }
        }
        reach_before.into_iter().for_each(&mut seen);
        (self.position, self.forks) = (Some(position), page.forks);
        let next = if again || reach > position.offset {
            hold.reach(Position { offset: reach, ..position });
            self.catching_up = Some(hold);
            Next::Read(position.offset, if again { Age::Fresh } else { Age::Any })
        } else if hold.pulls() {
            self.catching_up = Some(hold);
            Next::Rest
        } else {
            Next::Live
        };
        Caught { subscribers, deliver, next }
    }
}

impl Feed {
    /// What to do after a pause. The feed is live again where the lane has lost nothing for a while, and nothing came meanwhile.
    pub fn rested(&mut self, now: Tick) -> Next {
        let (Some(hold), Some(position)) = (&mut self.catching_up, self.position) else { return Next::Live };
        let (stale, reach) = hold.take_wants();
        if stale || reach.is_some_and(|reach| reach.epoch != position.epoch || reach.offset > position.offset) {
            if let Some(reach) = reach {
                hold.reach(reach);
            }
            return Next::Read(position.offset, Age::Fresh);
        }
        if self.lost.is_some_and(|lost| now.since(lost) < SOON) {
            return Next::Rest;
        }
        self.catching_up = None;
        Next::Live
    }
}

// NL-1.3
/// Whether nothing that `position` stands for was lost since: it is of the current timeline, or of an earlier one before that was left.
pub fn is_valid(position: Position, epoch: Epoch, forks: &[Position]) -> bool {
    position.epoch == epoch || forks.iter().any(|fork| fork.epoch == position.epoch && position.offset <= fork.offset)
}

/// Whether a page that was read after `offset` holds all that followed it, as far as the page goes.
pub fn continues(offset: u64, page: &Page) -> bool {
    match page.publications.first().and_then(|first| first.position) {
        Some(first) => first.offset == offset + 1,
        None => page.top == offset,
    }
}

#[cfg(test)]
mod tests;
