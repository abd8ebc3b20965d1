//! A session and its phases.

use super::{
    Action, Input, SessionConfig, SessionStart,
    close_reason::CloseReason,
    connect::{ConnectProgress, Connecting},
    context::Context,
    metering::{Charge, Consequence, consequence, is_metered},
    open::OpenSession,
    phases::{PHASES, PhaseEvent, PhaseName},
};
use crate::{
    limits::{Level, Limit, PeerKey, TrafficMeters},
    model::{ChannelName, ConnectionId, Disconnect, ErrorCode, ServerCommand, Tick, UserId},
    protocol::Request,
};
use std::sync::Arc;

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    id: ConnectionId,
    config: Arc<SessionConfig>,
    last_op: u32,
    /// Bytes that are not charged yet.
    unpaid: u32,
    meters: TrafficMeters,
    /// The user, once it is known and has limits.
    user: Option<PeerKey>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The connect command has to arrive by this time.
    AwaitingConnect(Tick, SessionStart),
    Connecting(Box<Connecting>),
    Open(OpenSession),
    /// The connect command was answered with an error. If the client has not closed the connection by this time, the gateway closes it.
    Refused(Tick),
    Closed,
}

/// The phase that follows, and the event that leads to it; none: the phase goes on.
type Change = Option<(PhaseEvent, Phase)>;

impl Phase {
    fn name(&self) -> PhaseName {
        match self {
            Self::AwaitingConnect(..) => PhaseName::AwaitingConnect,
            Self::Connecting(connecting) => connecting.phase(),
            Self::Open(_) => PhaseName::Open,
            Self::Refused(_) => PhaseName::Refused,
            Self::Closed => PhaseName::Closed,
        }
    }

    /// The user, once it is known. None for anonymous.
    fn user(&self) -> Option<&UserId> {
        let info = match self {
            Self::Connecting(connecting) => connecting.info()?,
            Self::Open(open) => &open.info,
            Self::AwaitingConnect(..) | Self::Refused(_) | Self::Closed => return None,
        };
        (!info.user.is_anonymous()).then_some(&info.user)
    }
}

impl Session {
    /// A session that waits for its connect command.
    pub fn new(id: ConnectionId, config: Arc<SessionConfig>, start: SessionStart) -> Self {
        let phase = Phase::AwaitingConnect(start.clock.tick.after(config.connect_timeout), start);
        Self { id, config, last_op: 0, unpaid: 0, meters: TrafficMeters::default(), user: None, phase }
    }

    /// The id of the connection.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// A message or a control frame of this size arrived. It comes before the commands in it. `commands`: what it costs besides them, because it
    /// need not have any. Returns the limit because of which the connection has to be closed with [`Disconnect::TooManyRequests`].
    pub fn received(&mut self, now: Tick, bytes: usize, commands: u64) -> Option<Limit> {
        match self.charge(now).received(bytes as u64, commands) {
            Some((Level::Continued, limit)) => Some(limit),
            // What it asks for is refused.
            _ => None,
        }
    }

    /// Takes one input and appends the actions that it causes. After [`Action::Close`] inputs have no effect.
    pub fn handle(&mut self, now: Tick, input: Input, actions: &mut Vec<Action>) {
        if self.is_refused(now, &input, actions) {
            return;
        }
        let mut cx = Context { now, connection: self.id, config: &self.config, last_op: &mut self.last_op, actions };
        let change = match &mut self.phase {
            Phase::AwaitingConnect(deadline, start) => awaiting_connect(*deadline, *start, &mut cx, input),
            Phase::Connecting(connecting) => match connecting.handle(&mut cx, input) {
                Ok(ConnectProgress::Pending) => Ok(None),
                Ok(ConnectProgress::Refused) => Ok(Some((PhaseEvent::Refused, Phase::Refused(now.after(cx.config.connect_timeout))))),
                Ok(ConnectProgress::Connected(connected)) => {
                    OpenSession::begin(&mut cx, *connected).map(|open| Some((PhaseEvent::AllAttached, Phase::Open(open))))
                }
                Err(reason) => Err(reason),
            },
            Phase::Open(open) => open.handle(&mut cx, input).map(|()| None),
            Phase::Refused(deadline) => refused(*deadline, now, &input),
            Phase::Closed => Ok(None),
        };
        match change {
            Ok(None) => {}
            Ok(Some((event, phase))) => self.enter(event, phase),
            Err(CloseReason { code, reason }) => {
                actions.push(Action::Close(code, reason));
                self.enter(PhaseEvent::Close, Phase::Closed);
            }
        }
    }

    fn charge(&mut self, now: Tick) -> Charge<'_> {
        if self.user.is_none() {
            self.user = self.config.user_rates.as_ref().zip(self.phase.user()).map(|(rates, user)| rates.key(user));
        }
        Charge { config: &self.config, user: self.user, now, own: &mut self.meters, unpaid: &mut self.unpaid }
    }

    /// Charges the connection for an input. Returns whether it goes no further, because it exceeds a limit.
    fn is_refused(&mut self, now: Tick, input: &Input, actions: &mut Vec<Action>) -> bool {
        let (Phase::Connecting(_) | Phase::Open(_)) = self.phase else { return false };
        let command = match input {
            Input::Command(command) if is_metered(&command.request) => command,
            Input::Done(_, outcome) => {
                self.charge(now).answered(outcome.entries());
                return false;
            }
            _ => return false,
        };
        let (limit, consequence) = match self.charge(now).command() {
            None => return false,
            Some((Level::Continued, limit)) => (limit, Consequence::Close),
            Some((_, limit)) => (limit, consequence(command)),
        };
        if consequence != Consequence::None {
            actions.push(Action::Limited(limit));
        }
        match consequence {
            Consequence::None => return false,
            Consequence::Refuse => actions.push(Action::Reply(command.id, ErrorCode::TooManyRequests.into())),
            Consequence::Close => {
                let CloseReason { code, reason } = Disconnect::TooManyRequests.into();
                actions.push(Action::Close(code, reason));
                self.enter(PhaseEvent::Close, Phase::Closed);
            }
        }
        true
    }

    fn enter(&mut self, event: PhaseEvent, phase: Phase) {
        debug_assert_eq!(PHASES.next(self.phase.name(), event), Ok(phase.name()));
        self.phase = phase;
    }

    /// When [`Input::Timer`] is due. `None` after the close.
    pub fn deadline(&self) -> Option<Tick> {
        match &self.phase {
            Phase::AwaitingConnect(deadline, _) | Phase::Refused(deadline) => Some(*deadline),
            Phase::Connecting(connecting) => Some(connecting.deadline()),
            Phase::Open(open) => Some(open.deadline()),
            Phase::Closed => None,
        }
    }

    /// The channels to which the client is subscribed.
    pub fn channels(&self) -> Vec<ChannelName> {
        match &self.phase {
            Phase::Open(open) => open.subscriptions.live().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether to read from the connection: fewer operations are in flight than allowed.
    ///
    /// Commands that were read before are still accepted. Those that exceed the limit are refused with error 111.
    pub fn wants_input(&self) -> bool {
        match &self.phase {
            Phase::AwaitingConnect(..) | Phase::Refused(_) => true,
            Phase::Connecting(connecting) => connecting.wants_input(&self.config),
            Phase::Open(open) => open.wants_input(&self.config),
            Phase::Closed => false,
        }
    }
}

fn awaiting_connect(deadline: Tick, start: SessionStart, cx: &mut Context<'_>, input: Input) -> Result<Change, CloseReason> {
    match input {
        Input::Command(command) => match command.request {
            Request::Connect(request) => {
                let connecting = Connecting::begin(cx, command.id, *request, start);
                Ok(Some((PhaseEvent::ConnectReceived, Phase::Connecting(Box::new(connecting)))))
            }
            Request::Refused(refusal) => Err(CloseReason::bad_request(&refusal.detail)),
            _ => Err(CloseReason::bad_request("the first command has to be connect")),
        },
        Input::Timer if deadline <= cx.now => Err(Disconnect::Stale.into()),
        other => disconnect_of(&other).map_or(Ok(None), Err),
    }
}

fn refused(deadline: Tick, now: Tick, input: &Input) -> Result<Change, CloseReason> {
    match input {
        Input::Command(_) => Err(CloseReason::bad_request("connect was refused: open a new connection")),
        Input::Timer if deadline <= now => Err(Disconnect::Stale.into()),
        other => disconnect_of(other).map_or(Ok(None), Err),
    }
}

/// The close reason of a disconnect command. A session without a user ignores all other commands of services.
fn disconnect_of(input: &Input) -> Option<CloseReason> {
    match input {
        Input::Server(ServerCommand::Disconnect { code, reason }) => Some(CloseReason::new(*code, reason)),
        _ => None,
    }
}
