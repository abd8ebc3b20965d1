//! The phases of a session.

use super::{
    Action, Input, Rules,
    connect::{Connecting, Progress},
    open::Open,
    turn::{Closing, Turn},
};
use crate::{
    model::{ChannelName, ConnectionId, Disconnect, ServerCommand, Tick},
    protocol::Request,
};
use std::sync::Arc;

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    id: ConnectionId,
    rules: Arc<Rules>,
    last_op: u32,
    ping_phase: f32,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// For the connect command, until then.
    Awaiting(Tick),
    Connecting(Box<Connecting>),
    Open(Open),
    /// The connect command was answered with an error; the client has until then to leave.
    Refused(Tick),
    Closed,
}

impl Session {
    /// A session that waits for its connect command. `phase` (0 to 1) spreads the pings of many connections.
    pub fn new(id: ConnectionId, rules: Arc<Rules>, now: Tick, phase: f32) -> Self {
        let until = now.after(rules.connect_timeout);
        Self { id, rules, last_op: 0, ping_phase: phase, phase: Phase::Awaiting(until) }
    }

    /// Takes one input and appends what has to be done. After [`Action::Close`] inputs are ignored.
    pub fn handle(&mut self, now: Tick, input: Input, actions: &mut Vec<Action>) {
        let mut turn = Turn { now, connection: self.id, rules: &self.rules, last_op: &mut self.last_op, actions };
        let step = match &mut self.phase {
            Phase::Awaiting(until) => awaiting(*until, &mut turn, input),
            Phase::Connecting(connecting) => match connecting.handle(&mut turn, input) {
                Ok(Progress::Going) => Ok(None),
                Ok(Progress::Refused) => Ok(Some(Phase::Refused(now.after(turn.rules.connect_timeout)))),
                Ok(Progress::Connected(connected)) => {
                    Open::begin(&mut turn, *connected, self.ping_phase).map(|open| Some(Phase::Open(open)))
                }
                Err(closing) => Err(closing),
            },
            Phase::Open(open) => open.handle(&mut turn, input).map(|()| None),
            Phase::Refused(until) => refused(*until, now, &input),
            Phase::Closed => Ok(None),
        };
        match step {
            Ok(None) => {}
            Ok(Some(next)) => self.phase = next,
            Err(Closing { code, reason }) => {
                actions.push(Action::Close(code, reason));
                self.phase = Phase::Closed;
            }
        }
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Awaiting(until) | Phase::Refused(until) => Some(*until),
            Phase::Connecting(connecting) => Some(connecting.deadline()),
            Phase::Open(open) => Some(open.deadline()),
            Phase::Closed => None,
        }
    }

    /// Channels that it has joined.
    pub fn channels(&self) -> Vec<ChannelName> {
        match &self.phase {
            Phase::Open(open) => open.subscriptions.live().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the connection may be read: operations in flight are below their limit.
    ///
    /// What was read already may be handed over all the same; what is too much of it is refused with error 111.
    pub fn wants_input(&self) -> bool {
        match &self.phase {
            Phase::Awaiting(_) | Phase::Refused(_) => true,
            Phase::Connecting(connecting) => connecting.wants_input(&self.rules),
            Phase::Open(open) => open.wants_input(&self.rules),
            Phase::Closed => false,
        }
    }
}

fn awaiting(until: Tick, turn: &mut Turn<'_>, input: Input) -> Result<Option<Phase>, Closing> {
    match input {
        Input::Command(command) => match command.request {
            Request::Connect(request) => Ok(Some(Phase::Connecting(Box::new(Connecting::begin(turn, command.id, *request))))),
            _ => Err(Closing::bad_request("the first command has to be connect")),
        },
        Input::Tick if until <= turn.now => Err(Disconnect::Stale.into()),
        other => unregistered(&other).map_or(Ok(None), Err),
    }
}

fn refused(until: Tick, now: Tick, input: &Input) -> Result<Option<Phase>, Closing> {
    match input {
        Input::Command(_) => Err(Closing::bad_request("connect was refused: open a new connection")),
        Input::Tick if until <= now => Err(Disconnect::Stale.into()),
        other => unregistered(other).map_or(Ok(None), Err),
    }
}

/// Of all that services and operations do, only a disconnect concerns a connection that nobody knows.
fn unregistered(input: &Input) -> Option<Closing> {
    match input {
        Input::Server(ServerCommand::Disconnect { code, reason }) => Some(Closing::new(*code, reason)),
        _ => None,
    }
}
