//! The situations that a run can reach. The standard seeds together have to reach each of them.

use super::plan::Kind;
use gateway_core::queue::DeadReason;
use std::fmt;

/// Something that a run can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Situation {
    TakenOver,
    Released,
    PendingRead,
    Loaded,
    StaleRefused,
    Redelivered,
    Absent,
    TakenBack,
    QueueFull,
    DeadLettersFull,
    /// An entry became a dead letter for this reason.
    DeadLettered(&'static str),
    /// A step of this kind that did something.
    Step(Kind),
}

impl Situation {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        use Situation::{
            Absent, DeadLettered, DeadLettersFull, Loaded, PendingRead, QueueFull, Redelivered, Released, StaleRefused, TakenBack,
            TakenOver,
        };
        let plain = [TakenOver, Released, PendingRead, Loaded, StaleRefused, Redelivered, Absent, TakenBack, QueueFull, DeadLettersFull];
        let reasons = DeadReason::ALL.into_iter().filter(|reason| *reason != DeadReason::Unpublishable);
        plain.into_iter().chain(reasons.map(|reason| DeadLettered(reason.name()))).chain(Kind::all().map(Self::Step))
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::TakenOver => "another owner took a partition over",
            Self::Released => "an owner ended its ownership",
            Self::PendingRead => "an owner found pending entries",
            Self::Loaded => "an owner read the content of entries again",
            Self::StaleRefused => "the store refused an acknowledgement by a node that does not own the partition",
            Self::Redelivered => "an event was delivered again",
            Self::Absent => "a delivery found no service",
            Self::TakenBack => "a delivery was not written, because the node may not own the partition any more, or it had expired",
            Self::QueueFull => "the queue was full",
            Self::DeadLettersFull => "an entry had no place among the dead letters",
            Self::DeadLettered(reason) => return write!(f, "an entry became a dead letter: {reason}"),
            Self::Step(kind) => return write!(f, "the step {kind:?} did something"),
        };
        f.write_str(text)
    }
}
