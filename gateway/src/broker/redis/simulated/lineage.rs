//! All that ever stood in a channel, whatever the store forgot since: what a simulation holds promises against.

use gateway_core::model::{Epoch, Position};
use std::collections::HashMap;

/// As in `timeline.lua`.
pub(super) const FORKS: usize = 8;

/// See the module. Publications are numbers.
#[derive(Default)]
pub(crate) struct Lineage {
    /// Where each timeline went on from; none for the first.
    parents: HashMap<Epoch, Option<Position>>,
    places: HashMap<Position, u64>,
    /// Where each publication was stored first.
    first: HashMap<u64, Position>,
    /// Up to here something was trimmed at some time.
    pub(crate) trimmed: u64,
}

impl Lineage {
    pub(super) fn begin(&mut self, epoch: Epoch, parent: Option<Position>) {
        self.parents.insert(epoch, parent);
    }

    /// Notes a publication. Answers the offset at which the timeline holds it already.
    pub(super) fn store(&mut self, at: Position, number: u64) -> Option<u64> {
        let before = (1..at.offset).find(|offset| self.at(Position { offset: *offset, ..at }) == Some(number));
        self.places.insert(at, number);
        self.first.entry(number).or_insert(at);
        before
    }

    /// What stands there.
    pub(crate) fn at(&self, mut at: Position) -> Option<u64> {
        while let Some(parent) = *self.parents.get(&at.epoch)?
            && at.offset <= parent.offset
        {
            at.epoch = parent.epoch;
        }
        self.places.get(&at).copied()
    }

    /// Whether the store can have told anybody this position.
    pub(crate) fn exists(&self, at: Position) -> bool {
        self.parents.contains_key(&at.epoch) && (at.offset == 0 || self.at(at).is_some())
    }

    /// Whether everything up to `held` is part of `epoch`, too.
    pub(crate) fn is_part(&self, held: Position, epoch: Epoch) -> bool {
        let same = |offset| self.at(Position { offset, ..held }) == self.at(Position { epoch, offset });
        held.epoch == epoch || (1..=held.offset).all(same)
    }

    /// Whether `epoch` goes back to `held`, over no more timelines than are remembered.
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

    /// Where the timeline `left` ended for `epoch`, if that goes back to it.
    pub(crate) fn fork(&self, left: Epoch, mut epoch: Epoch) -> Option<u64> {
        while let Some(Some(parent)) = self.parents.get(&epoch) {
            if parent.epoch == left {
                return Some(parent.offset);
            }
            epoch = parent.epoch;
        }
        None
    }

    /// Where it was stored first, whatever became of that timeline.
    pub(crate) fn find(&self, number: u64) -> Option<Position> {
        self.first.get(&number).copied()
    }
}
