//! The phases of a session, as a table.

use crate::model::{Transition, Transitions};

/// A phase of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseName {
    /// The connect command has not arrived.
    AwaitingConnect,
    /// The connection token is being checked.
    Authenticating,
    /// The user is known. The channels to which services subscribed it, and revocations, are being read.
    ReadingSubscriptions,
    /// The server-side subscriptions are being attached.
    Attaching,
    /// The client is connected.
    Open,
    /// The connect command was answered with an error. The client has to close the connection.
    Refused,
    /// The session has ended.
    Closed,
}

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhaseEvent {
    /// The client sent the connect command.
    ConnectReceived,
    /// The token names a user, or can be revoked by a claim.
    UserAuthenticated,
    /// The connection is anonymous, and nothing could be revoked. There is nothing to read.
    AnonymousAuthenticated,
    /// The channels to which services subscribed the user are known.
    SubscriptionsRead,
    /// All server-side subscriptions are attached.
    AllAttached,
    /// The connect command was answered with an error.
    Refused,
    /// The session closes the connection.
    Close,
}

pub(super) const PHASES: Transitions<PhaseName, PhaseEvent> = {
    use PhaseEvent as Event;
    use PhaseName::{Attaching, Authenticating, AwaitingConnect, Closed, Open, ReadingSubscriptions, Refused};
    Transitions(&[
        Transition { event: Event::ConnectReceived, from: &[AwaitingConnect], to: Authenticating },
        Transition { event: Event::UserAuthenticated, from: &[Authenticating], to: ReadingSubscriptions },
        Transition { event: Event::AnonymousAuthenticated, from: &[Authenticating], to: Attaching },
        Transition { event: Event::SubscriptionsRead, from: &[ReadingSubscriptions], to: Attaching },
        Transition { event: Event::AllAttached, from: &[Attaching], to: Open },
        Transition { event: Event::Refused, from: &[Authenticating, ReadingSubscriptions, Attaching], to: Refused },
        Transition {
            event: Event::Close,
            from: &[AwaitingConnect, Authenticating, ReadingSubscriptions, Attaching, Open, Refused],
            to: Closed,
        },
    ])
};
