//! The newest publications of a channel, for clients that attach, pass a fork or return soon.

use gateway_core::model::{PageLimit, Publication, Tick};
use std::{cell::Cell, collections::VecDeque, rc::Rc, sync::Arc};

/// The bytes of the recent publications of all channels of a worker.
pub(crate) type RecentBytes = Rc<Cell<usize>>;

/// The newest publications of a channel, without gaps up to its position.
#[derive(Debug)]
pub(crate) struct Recent {
    publications: VecDeque<(Tick, Arc<Publication>)>,
    bytes: usize,
    all_channels: RecentBytes,
}

/// What a channel keeps at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Number of publications.
    pub(crate) entries: usize,
    /// Bytes of all channels of the worker together. `None`: a connection needs the publications, whatever the others keep.
    pub(crate) bytes: Option<usize>,
}

impl Recent {
    /// Keeps nothing yet. `all_channels` counts the bytes of the worker.
    pub(crate) fn new(all_channels: RecentBytes) -> Self {
        Self { publications: VecDeque::new(), bytes: 0, all_channels }
    }

    /// Adds the newest publication, in place of the oldest ones where there is no room. Without room for it, nothing is kept.
    pub(crate) fn push(&mut self, now: Tick, publication: Arc<Publication>, room: Room) {
        let size = publication.size();
        let has_room = |recent: &Self| {
            recent.publications.len() < room.entries && room.bytes.is_none_or(|bytes| recent.all_channels.get() + size <= bytes)
        };
        while !has_room(self) && self.pop_oldest() {}
        if has_room(self) {
            self.set_bytes(self.bytes + size);
            self.publications.push_back((now, publication));
        }
    }

    /// The publications after `offset` up to `newest`. `None` if some of them are not kept, or if all together exceed `limit`.
    pub(crate) fn after(&self, offset: u64, newest: u64, limit: PageLimit) -> Option<Vec<Arc<Publication>>> {
        let kept = self.publications.iter().map(|(_, publication)| publication);
        let after: Vec<_> = kept.filter(|it| it.position.is_some_and(|at| at.offset > offset)).cloned().collect();
        let fits = after.len() <= limit.entries && after.iter().map(|publication| publication.size()).sum::<usize>() <= limit.bytes;
        (fits && after.len() as u64 == newest - offset).then_some(after)
    }

    /// When the oldest of the publications arrived.
    pub(crate) fn oldest(&self) -> Option<Tick> {
        self.publications.front().map(|(at, _)| *at)
    }

    /// Forgets the publications that arrived at `until` or before.
    pub(crate) fn forget(&mut self, until: Tick) {
        while self.oldest().is_some_and(|oldest| oldest <= until) {
            self.pop_oldest();
        }
        if self.publications.is_empty() {
            self.publications = VecDeque::new();
        }
    }

    /// Forgets all publications.
    pub(crate) fn clear(&mut self) {
        self.publications = VecDeque::new();
        self.set_bytes(0);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.publications.len()
    }

    fn pop_oldest(&mut self) -> bool {
        let oldest = self.publications.pop_front();
        if let Some((_, publication)) = &oldest {
            self.set_bytes(self.bytes - publication.size());
        }
        oldest.is_some()
    }

    fn set_bytes(&mut self, bytes: usize) {
        self.all_channels.set(self.all_channels.get() - self.bytes + bytes);
        self.bytes = bytes;
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        self.set_bytes(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::model::{Data, Epoch, Position, Tags};

    const ROOM: Room = Room { entries: 3, bytes: None };
    const ALL: PageLimit = PageLimit { entries: usize::MAX, bytes: usize::MAX };

    fn publication(offset: u64) -> Publication {
        let position = Some(Position { epoch: Epoch::parse("epoch001").expect("eight letters"), offset });
        Publication { position, content: Data::null().into(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None }
    }

    fn recent(bytes: &RecentBytes, offsets: std::ops::RangeInclusive<u64>, room: Room) -> Recent {
        let mut recent = Recent::new(bytes.clone());
        for offset in offsets {
            recent.push(Tick(offset * 10), Arc::new(publication(offset)), room);
        }
        recent
    }

    #[test]
    fn the_newest_are_kept_and_older_ones_are_not_made_up() {
        let recent = recent(&RecentBytes::default(), 1..=5, ROOM);
        let offsets = |after| {
            let kept = recent.after(after, 5, ALL)?;
            Some(kept.iter().filter_map(|it| it.position).map(|at| at.offset).collect::<Vec<_>>())
        };
        assert_eq!((offsets(4), offsets(2), offsets(1)), (Some(vec![5]), Some(vec![3, 4, 5]), None));
        assert_eq!(recent.after(2, 5, PageLimit { entries: 2, ..ALL }), None, "larger than the limit");
        assert_eq!(recent.after(2, 6, ALL), None, "the newest is not kept");
    }

    #[test]
    fn all_channels_share_the_bytes() {
        let bytes = RecentBytes::default();
        let size = publication(1).size();
        let shared = Room { bytes: Some(3 * size), entries: 10 };
        let first = recent(&bytes, 1..=2, shared);
        let mut second = recent(&bytes, 1..=4, shared);
        assert_eq!((first.len(), second.len(), bytes.get()), (2, 1, 3 * size));
        assert!(second.after(3, 4, ALL).is_some(), "the newest one is kept");
        second.push(Tick(50), Arc::new(publication(5)), Room { bytes: None, ..shared });
        assert_eq!((second.len(), bytes.get()), (2, 4 * size), "what a connection needs is kept all the same");
        let third = recent(&bytes, 1..=1, shared);
        assert_eq!(third.len(), 0);
        drop((first, second, third));
        assert_eq!(bytes.get(), 0);
    }

    #[test]
    fn publications_are_forgotten_by_age() {
        let bytes = RecentBytes::default();
        let mut recent = recent(&bytes, 1..=3, ROOM);
        recent.forget(Tick(20));
        assert_eq!((recent.len(), recent.oldest()), (1, Some(Tick(30))));
        recent.forget(Tick(30));
        assert_eq!((recent.len(), recent.oldest(), bytes.get()), (0, None, 0));
    }
}
