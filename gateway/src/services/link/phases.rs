//! The phases of a link, as a table.

use gateway_core::model::{Transition, Transitions};
use std::cell::Cell;

/// A phase of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkPhase {
    /// The instance has not sent `hello`.
    AwaitingHello,
    /// The link is registered with its service, and gets calls and events.
    Open,
    /// The instance is shutting down. The link gets no new calls and events; the instance answers the calls in flight.
    Draining,
    /// The link is no longer registered. The last frames are being written.
    Closing,
    /// The close frame is sent, or could not be sent in time.
    Closed,
}

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEvent {
    /// The `hello` was accepted.
    HelloAccepted,
    /// The instance sent `drain`.
    DrainReceived,
    /// The link must end; see [`Ending`](super::Ending).
    Ended,
    /// The last frames are written, or the time limit for that has passed.
    CloseSent,
}

pub(super) const LINK: Transitions<LinkPhase, LinkEvent> = {
    use LinkEvent as Event;
    use LinkPhase::{AwaitingHello, Closed, Closing, Draining, Open};
    Transitions(&[
        Transition { event: Event::HelloAccepted, from: &[AwaitingHello], to: Open },
        Transition { event: Event::DrainReceived, from: &[Open, Draining], to: Draining },
        Transition { event: Event::Ended, from: &[AwaitingHello, Open, Draining], to: Closing },
        Transition { event: Event::CloseSent, from: &[Closing], to: Closed },
    ])
};

/// The current phase of a link, which its loops share.
pub(super) struct CurrentPhase(Cell<LinkPhase>);

impl CurrentPhase {
    pub(super) fn new() -> Self {
        Self(Cell::new(LinkPhase::AwaitingHello))
    }

    pub(super) fn apply(&self, event: LinkEvent) {
        self.0.set(LINK.follow(self.0.get(), event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_phases_of_a_link() {
        let (page, expected) = (include_str!("../../../../docs/state-machines.md"), LINK.markdown());
        assert!(page.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
    }
}
