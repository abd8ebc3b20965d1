//! The full history of each channel, including everything that the store has lost. The simulation checks its invariants against this
//! history.

use gateway_core::model::{Epoch, Position};
use std::collections::HashMap;

/// Number of forks that a channel keeps, as in `timeline.lua`.
pub(super) const FORKS: usize = 8;

/// The full history of a channel. Publications are numbers.
#[derive(Default)]
pub(crate) struct Lineage {
    /// The fork at which each timeline began. None for the first timeline of a channel.
    parents: HashMap<Epoch, Option<Position>>,
    places: HashMap<Position, u64>,
    /// The first position of each publication.
    first: HashMap<u64, Position>,
    /// The highest offset that was ever trimmed.
    pub(crate) trimmed: u64,
}

impl Lineage {
    pub(super) fn begin(&mut self, epoch: Epoch, parent: Option<Position>) {
        self.parents.insert(epoch, parent);
    }

    /// Records a publication. If the timeline already contains it, returns its earlier offset.
    pub(super) fn store(&mut self, at: Position, number: u64) -> Option<u64> {
        let before = (1..at.offset).find(|offset| self.at(Position { offset: *offset, ..at }) == Some(number));
        self.places.insert(at, number);
        self.first.entry(number).or_insert(at);
        before
    }

    /// The publication at this position.
    pub(crate) fn at(&self, mut at: Position) -> Option<u64> {
        while let Some(parent) = *self.parents.get(&at.epoch)?
            && at.offset <= parent.offset
        {
            at.epoch = parent.epoch;
        }
        self.places.get(&at).copied()
    }

    /// Whether the store may have given this position to a client.
    pub(crate) fn exists(&self, at: Position) -> bool {
        self.parents.contains_key(&at.epoch) && (at.offset == 0 || self.at(at).is_some())
    }

    /// Whether the timeline `epoch` contains the same publications as `held` up to that position.
    pub(crate) fn is_part(&self, held: Position, epoch: Epoch) -> bool {
        let same = |offset| self.at(Position { offset, ..held }) == self.at(Position { epoch, offset });
        held.epoch == epoch || (1..=held.offset).all(same)
    }

    /// Whether the timeline `epoch` leads back to the position `held` over at most [`FORKS`] forks.
    pub(crate) fn remembers(&self, held: Position, mut epoch: Epoch) -> bool {
        for _ in 0..FORKS {
            if epoch == held.epoch {
                return true;
            }
            match self.parents.get(&epoch) {
                Some(Some(parent)) if parent.offset >= held.offset => epoch = parent.epoch,
                _ => return false,
            }
        }
        epoch == held.epoch
    }

    /// The offset at which the timeline `left` ended, if the timeline `epoch` leads back to it.
    pub(crate) fn fork(&self, left: Epoch, mut epoch: Epoch) -> Option<u64> {
        while let Some(Some(parent)) = self.parents.get(&epoch) {
            if parent.epoch == left {
                return Some(parent.offset);
            }
            epoch = parent.epoch;
        }
        None
    }

    /// The first position of a publication, even if its timeline was lost.
    pub(crate) fn find(&self, number: u64) -> Option<Position> {
        self.first.get(&number).copied()
    }
}
