//! Going on where a client left off: what it asks for, and what it is told.

use super::{Epoch, Position};

/// A position as a client remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverFrom {
    /// Empty: from the first that is held.
    pub epoch: String,
    /// The last that it has.
    pub offset: u64,
}

impl RecoverFrom {
    /// As a position; none if no gateway can have told it to the client.
    pub fn position(&self) -> Option<Position> {
        Epoch::parse(&self.epoch).map(|epoch| Position { epoch, offset: self.offset })
    }
}

/// How a recovery went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// None was asked for.
    #[default]
    NotRequested,
    /// Everything since the position comes: in the answer and in pushes after it.
    Recovered,
    /// Something since the position is gone; what is held comes as pushes.
    Lost,
}
