//! What came over the lane while the range before it was being read.

use crate::model::{Position, Publication};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

// NL-4.4
/// Memory for what all feeds of a node hold back together, in bytes.
#[derive(Debug)]
pub struct HoldRoom {
    limit: usize,
    used: AtomicUsize,
    dropped: AtomicU64,
}

impl HoldRoom {
    /// Room for `limit` bytes ([`Publication::size`]).
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), dropped: AtomicU64::new(0) })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Publications that were not held, or let go again, since the start. Each is read from the stream instead.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|after| *after <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hold {
    room: Arc<HoldRoom>,
    bytes: usize,
    publications: VecDeque<Arc<Publication>>,
    /// Nothing is held: whatever comes is read.
    pull: bool,
    /// The stream has to be read up to here: it was seen to stand there, or what came up to here was let go.
    reach: Option<Position>,
    /// Something was lost after the read that is under way began: another has to follow it.
    stale: bool,
}

impl Hold {
    pub(super) fn new(room: &Arc<HoldRoom>) -> Self {
        Self { room: room.clone(), bytes: 0, publications: VecDeque::new(), pull: false, reach: None, stale: false }
    }

    /// Keeps a publication, or remembers that it has to be read. Without room everything is let go: what is read anyway need not wait here.
    pub(super) fn push(&mut self, publication: &Arc<Publication>) {
        let bytes = publication.size();
        if !self.pull && self.room.take(bytes) {
            self.bytes += bytes;
            self.publications.push_back(publication.clone());
            return;
        }
        self.let_go();
        self.pass(publication);
    }

    /// It has to be read.
    fn pass(&mut self, publication: &Publication) {
        self.room.dropped.fetch_add(1, Relaxed);
        if let Some(at) = publication.position {
            self.reach(at);
        }
    }

    /// From now on everything is read.
    pub(super) fn pull(&mut self) {
        self.pull = true;
        self.let_go();
    }

    pub(super) fn pulls(&self) -> bool {
        self.pull
    }

    /// The stream goes at least as far.
    pub(super) fn reach(&mut self, at: Position) {
        match &mut self.reach {
            Some(reach) if reach.epoch == at.epoch => reach.offset = reach.offset.max(at.offset),
            Some(_) => self.stale = true,
            None => self.reach = Some(at),
        }
    }

    pub(super) fn spoil(&mut self) {
        self.stale = true;
    }

    /// Whether a read has to follow, and how far the stream was seen to go; both are forgotten by that.
    pub(super) fn take_wants(&mut self) -> (bool, Option<Position>) {
        (std::mem::take(&mut self.stale), self.reach.take())
    }

    /// Everything that is held, in the order in which it came.
    pub(super) fn take(&mut self) -> VecDeque<Arc<Publication>> {
        self.give_back();
        std::mem::take(&mut self.publications)
    }

    fn let_go(&mut self) {
        for publication in self.take() {
            self.pass(&publication);
        }
    }

    fn give_back(&mut self) {
        self.room.used.fetch_sub(std::mem::take(&mut self.bytes), Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Data, Epoch, Tags};

    fn publication(offset: u64) -> Arc<Publication> {
        let position = Some(Position { epoch: Epoch::parse("epoch001").expect("valid"), offset });
        Arc::new(Publication { position, data: Data::null(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
    }

    // NL-4.4
    #[test]
    fn all_holds_share_the_room_and_give_it_back() {
        let size = publication(1).size();
        let room = HoldRoom::new(3 * size);
        let (mut one, mut two) = (Hold::new(&room), Hold::new(&room));
        one.push(&publication(1));
        two.push(&publication(1));
        two.push(&publication(2));
        assert_eq!((room.used(), room.dropped()), (3 * size, 0));
        one.push(&publication(2));
        assert_eq!((room.used(), room.dropped()), (2 * size, 2), "the one that has no room goes, and what it had with it");
        assert_eq!(one.take_wants(), (false, publication(2).position));
        one.push(&publication(3));
        assert_eq!(one.take().len(), 1, "there is room again");
        drop(two);
        assert_eq!((room.used(), room.dropped()), (0, 2));
    }

    #[test]
    fn who_pulls_holds_nothing() {
        let room = HoldRoom::new(1 << 20);
        let mut hold = Hold::new(&room);
        hold.push(&publication(1));
        hold.pull();
        hold.push(&publication(2));
        assert_eq!((hold.take().len(), room.used(), room.dropped()), (0, 0, 2));
        assert_eq!(hold.take_wants(), (false, publication(2).position));
    }
}
