//! Recovery: how a returning client gets the publications that it missed.

use super::{Epoch, Position};

/// The position from which a client recovers, as it wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverFrom {
    /// The epoch. If it is empty, the current epoch is meant.
    pub epoch: String,
    /// Offset of the last publication that the client has. 0 with an empty epoch: start at the oldest publication that is kept.
    pub offset: u64,
}

impl RecoverFrom {
    /// A position that no channel has: what followed it is lost. A client that cannot say where it was recovers from here.
    pub fn nowhere() -> Self {
        Self { epoch: "none".into(), offset: 0 }
    }

    /// The position. None if the epoch is empty or has not the form of an epoch.
    pub fn position(&self) -> Option<Position> {
        Epoch::parse(&self.epoch).map(|epoch| Position { epoch, offset: self.offset })
    }
}

impl From<Position> for RecoverFrom {
    fn from(Position { epoch, offset }: Position) -> Self {
        Self { epoch: epoch.to_string(), offset }
    }
}

/// How a recovery went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The client did not ask for one.
    #[default]
    NotRequested,
    /// The client gets every publication since its position, in the reply and in pushes after it.
    Recovered,
    /// Some publications since the position are no longer stored.
    Lost,
}
