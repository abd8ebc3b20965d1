//! The phases of an event stream, as a table.

use crate::model::{Transition, Transitions};

/// A phase of an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseName {
    /// The session has the connect command and has not answered it.
    Connecting,
    /// The session has the subscribe commands and has not answered all of them.
    Subscribing,
    /// There is a stream.
    Open,
    /// The stream is being ended, or the request was refused.
    Closed,
}

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseEvent {
    /// The session accepted the connect command.
    Connected,
    /// The session accepted all subscribes.
    Subscribed,
    /// A command was refused, or the stream ends.
    Close,
}

pub(super) const PHASES: Transitions<PhaseName, PhaseEvent> = {
    use PhaseEvent as Event;
    use PhaseName::{Closed, Connecting, Open, Subscribing};
    Transitions(&[
        Transition { event: Event::Connected, from: &[Connecting], to: Subscribing },
        Transition { event: Event::Subscribed, from: &[Subscribing], to: Open },
        Transition { event: Event::Close, from: &[Connecting, Subscribing, Open], to: Closed },
    ])
};
