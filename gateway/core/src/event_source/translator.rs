//! An event stream and its phases.

use super::{
    interface::{Decision, EventSourceStart, Step},
    open::{Ending, Open},
    opening::Opening,
    phases::{PHASES, PhaseEvent, PhaseName},
    rejection::{Rejection, allows_return, of_close, of_service},
    stream::Stream,
};
use crate::{
    model::{ChannelName, ErrorCode, Position, Refusal, Unsubscribe},
    protocol::{Command, ConnectRequest, Push, Reply, Request},
};

/// The id of the connect command. The subscribes follow it, in the order of the channels.
const CONNECT: u32 = 1;
/// Close code of a connection that got no stream (RFC 6455, section 7.4.1, "policy violation").
const REJECTED: u16 = 1008;

/// The state of one event stream between its request and the session.
#[derive(Debug)]
pub struct Translator {
    stream: Stream,
    phase: Phase,
    is_return: bool,
    last_command: u32,
}

#[derive(Debug)]
enum Phase {
    Connecting(Box<Opening>),
    Subscribing(Box<Opening>),
    Open(Open),
    Closed,
}

impl Phase {
    fn name(&self) -> PhaseName {
        match self {
            Self::Connecting(_) => PhaseName::Connecting,
            Self::Subscribing(_) => PhaseName::Subscribing,
            Self::Open(_) => PhaseName::Open,
            Self::Closed => PhaseName::Closed,
        }
    }
}

impl Translator {
    /// Sends the connect command of a request.
    pub fn begin(start: EventSourceStart, steps: &mut Vec<Step>) -> Self {
        let EventSourceStart { channels, token, begin, has_envelope, is_return, retry } = start;
        let connect = ConnectRequest { token, ..ConnectRequest::default() };
        steps.push(Step::Command(Command { id: CONNECT, request: Request::Connect(Box::new(connect)) }));
        let phase = Phase::Connecting(Box::new(Opening::new(begin, retry)));
        Self { stream: Stream::new(channels, has_envelope), phase, is_return, last_command: CONNECT }
    }

    /// The session answered the command with this id.
    pub fn reply(&mut self, id: u32, reply: Reply, steps: &mut Vec<Step>) {
        if let Phase::Open(open) = &mut self.phase {
            if let Some(ending) = open.reply(&mut self.stream, id, reply, steps) {
                self.end(&ending, steps);
            }
            return;
        }
        match (&mut self.phase, reply) {
            (Phase::Open(_) | Phase::Closed, _) => {}
            (_, Reply::Error(refusal)) => self.reject(refusal, steps),
            (_, Reply::CallFailed { message, temporary, .. }) => self.reject(of_service(message, temporary), steps),
            (Phase::Connecting(_), Reply::Connect(_)) => self.connected(steps),
            (Phase::Subscribing(opening), Reply::Subscribe(subscribed)) => {
                let index = id.saturating_sub(CONNECT + 1) as usize;
                if opening.subscribed(index, subscribed) {
                    self.accept(steps);
                }
            }
            _ => self.reject(ErrorCode::Internal.into(), steps),
        }
    }

    /// The connection left a channel, or is about to end, after it got everything up to this position.
    pub fn left(&mut self, channel: &ChannelName, at: Option<Position>) {
        if matches!(self.phase, Phase::Open(_)) && self.stream.index(channel).is_some() {
            self.stream.left(at);
        }
    }

    /// The only channel of an open stream. Its deliveries do not tell the translator where the client is: call [`Self::left`] before
    /// [`Self::closing`].
    pub fn only_channel(&self) -> Option<&ChannelName> {
        self.stream.only_channel().filter(|_| matches!(self.phase, Phase::Open(_)))
    }

    /// The session has something for the client that answers no command.
    pub fn push(&mut self, push: Push, steps: &mut Vec<Step>) {
        match &mut self.phase {
            Phase::Open(open) => {
                if let Some(ending) = open.push(&mut self.stream, &mut self.last_command, push, steps) {
                    self.end(&ending, steps);
                }
            }
            Phase::Connecting(_) | Phase::Subscribing(_) => match push {
                Push::Message { .. } => steps.push(Step::Undelivered),
                Push::Unsubscribe(_, why) => {
                    let lost = why == Unsubscribe::InsufficientState;
                    let code = if lost { ErrorCode::ServiceUnavailable } else { ErrorCode::PermissionDenied };
                    self.reject(Refusal::new(code, why.reason()), steps);
                }
                _ => {}
            },
            Phase::Closed => {}
        }
    }

    /// The session or the gateway closes the connection. If the client must not come back, it learns why.
    pub fn closing(&mut self, code: u16, reason: &str, steps: &mut Vec<Step>) {
        match &self.phase {
            Phase::Connecting(_) | Phase::Subscribing(_) => self.decide(of_close(code, reason), steps),
            Phase::Open(_) if !allows_return(code) => {
                self.write_end(code.into(), reason, steps);
                self.enter(PhaseEvent::Close, Phase::Closed);
            }
            Phase::Open(_) => self.enter(PhaseEvent::Close, Phase::Closed),
            Phase::Closed => {}
        }
    }

    fn connected(&mut self, steps: &mut Vec<Step>) {
        if let Phase::Connecting(mut opening) = std::mem::replace(&mut self.phase, Phase::Closed) {
            opening.subscribe_all(&self.stream, &mut self.last_command, steps);
            debug_assert_eq!(PHASES.next(PhaseName::Connecting, PhaseEvent::Connected), Ok(PhaseName::Subscribing));
            self.phase = Phase::Subscribing(opening);
        }
    }

    fn accept(&mut self, steps: &mut Vec<Step>) {
        let Phase::Subscribing(opening) = std::mem::replace(&mut self.phase, Phase::Open(Open::default())) else { return };
        debug_assert_eq!(PHASES.next(PhaseName::Subscribing, PhaseEvent::Subscribed), Ok(PhaseName::Open));
        match opening.finish(&mut self.stream) {
            Ok(first) => steps.extend([Step::Send(first), Step::Decided(Decision::Accepted)]),
            Err(refusal) => self.reject(refusal, steps),
        }
    }

    /// There is no stream.
    fn reject(&mut self, refusal: Refusal, steps: &mut Vec<Step>) {
        let reason = refusal.code.row().name;
        self.decide(refusal, steps);
        steps.push(Step::Close(REJECTED, reason.into()));
    }

    fn decide(&mut self, refusal: Refusal, steps: &mut Vec<Step>) {
        steps.push(Step::Decided(Decision::Rejected(Rejection::of(refusal, self.is_return))));
        self.enter(PhaseEvent::Close, Phase::Closed);
    }

    fn end(&mut self, ending: &Ending, steps: &mut Vec<Step>) {
        if let Ending::ForGood(code, reason) = ending {
            self.write_end(*code, reason, steps);
        }
        let (code, reason) = ending.close();
        steps.push(Step::Close(code, reason));
        self.enter(PhaseEvent::Close, Phase::Closed);
    }

    fn write_end(&self, code: u32, reason: &str, steps: &mut Vec<Step>) {
        let mut out = Vec::new();
        self.stream.write_end(code, reason, &mut out);
        steps.push(Step::Send(out));
    }

    fn enter(&mut self, event: PhaseEvent, phase: Phase) {
        debug_assert_eq!(PHASES.next(self.phase.name(), event), Ok(phase.name()));
        self.phase = phase;
    }
}
