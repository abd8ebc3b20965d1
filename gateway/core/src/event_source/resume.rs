//! Where a stream begins in a channel, and whether something is missing there.

use super::interface::Begin;
use crate::{
    model::{Position, RecoverFrom, Recovery},
    protocol::{Subscribed, event_stream::LastPositions},
};

/// Where a stream begins in one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// With the next publication.
    Now,
    /// After this position.
    After(RecoverFrom),
    /// The client's last id has no position of the channel.
    Unknown,
    /// The client's last id belongs to other channels.
    OfOtherChannels,
}

impl Resume {
    /// Where the stream begins in the channel with this index.
    pub(super) fn of(begin: &Begin, index: usize) -> Self {
        match begin {
            Begin::Since(from) if index == 0 => Self::After(from.clone()),
            Begin::Now | Begin::Since(_) => Self::Now,
            Begin::After(LastPositions::OfOtherChannels) => Self::OfOtherChannels,
            Begin::After(LastPositions::Of(all)) => all.get(index).copied().flatten().map_or(Self::Unknown, |at| Self::After(at.into())),
        }
    }

    /// From where the session has to recover.
    pub(super) fn recover(&self) -> Option<RecoverFrom> {
        match self {
            Self::Now => None,
            Self::After(from) => Some(from.clone()),
            Self::Unknown | Self::OfOtherChannels => Some(RecoverFrom::nowhere()),
        }
    }

    /// Whether the client has to learn that something is missing. A channel without history had no position that could be lost.
    pub(super) fn is_lost(&self, subscribed: &Subscribed) -> bool {
        match self {
            Self::Now => false,
            Self::After(_) => subscribed.recovery == Recovery::Lost || subscribed.position.is_none(),
            Self::Unknown => subscribed.recovery == Recovery::Lost,
            Self::OfOtherChannels => true,
        }
    }

    /// The position in ids until the client knows that something is missing.
    pub(super) fn before_reset(&self) -> Option<Position> {
        if let Self::After(from) = self { from.position() } else { None }
    }
}
