//! The phases of a STOMP connection, as a table.

use crate::model::{Transition, Transitions};

/// A phase of a STOMP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseName {
    /// The CONNECT has not arrived.
    AwaitingConnect,
    /// The session has the connect command and has not answered it.
    Connecting,
    /// The client got CONNECTED.
    Open,
    /// The client sent DISCONNECT, or has to go because of a failure. Its commands in flight are still answered; further frames do not count.
    Ending,
    /// The connection is being closed. Nothing of the client counts any more.
    Closed,
}

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseEvent {
    /// The client sent CONNECT or STOMP.
    ConnectReceived,
    /// The session accepted the connect command.
    Connected,
    /// The client sent DISCONNECT.
    DisconnectReceived,
    /// A frame was refused, or a subscription has ended.
    Failed,
    /// The CONNECT was refused, or the client is gone, or everything is answered, or the session closes the connection.
    Close,
}

pub(super) const PHASES: Transitions<PhaseName, PhaseEvent> = {
    use PhaseEvent as Event;
    use PhaseName::{AwaitingConnect, Closed, Connecting, Ending, Open};
    Transitions(&[
        Transition { event: Event::ConnectReceived, from: &[AwaitingConnect], to: Connecting },
        Transition { event: Event::Connected, from: &[Connecting], to: Open },
        Transition { event: Event::DisconnectReceived, from: &[Open], to: Ending },
        Transition { event: Event::Failed, from: &[Open], to: Ending },
        Transition { event: Event::Close, from: &[AwaitingConnect, Connecting, Open, Ending], to: Closed },
    ])
};
