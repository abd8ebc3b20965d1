//! A fork of a channel among its deliveries.

use gateway_core::{channel::feed::EpochChange, model::Position};

/// A fork, at its place in the order of deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForkTransition {
    pub(crate) change: EpochChange,
    /// Number of the timeline that begins at the fork.
    pub(crate) timeline: u16,
}

impl ForkTransition {
    /// The position of a client that has exactly the deliveries before the fork, in the new timeline.
    pub(crate) fn position(&self) -> Position {
        self.change.position
    }

    /// Whether the fork begins a newer timeline than this one. The comparison allows for numbers that wrap around.
    pub(crate) fn is_after(&self, timeline: u16) -> bool {
        self.timeline.wrapping_sub(timeline).cast_signed() > 0
    }
}
