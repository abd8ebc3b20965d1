//! Going on where a client left off: what it asks for, and what it is told.

use super::{Epoch, Position};

/// A position as a client remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverFrom {
    /// The timeline; empty: whichever is the current one.
    pub epoch: String,
    /// The last that it has; 0 of an empty epoch: from the first that is held.
    pub offset: u64,
}

impl RecoverFrom {
    /// As a position; none if it names no epoch, or one that no gateway can have told to the client.
    pub fn position(&self) -> Option<Position> {
        Epoch::parse(&self.epoch).map(|epoch| Position { epoch, offset: self.offset })
    }
}

/// How a recovery went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// None was asked for.
    #[default]
    NotAsked,
    /// Everything since the position comes: in the answer and in pushes after it.
    Recovered,
    /// Something since the position is gone; what is held comes as pushes.
    Lost,
}
