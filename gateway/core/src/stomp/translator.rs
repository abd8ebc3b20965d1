//! A STOMP connection and its phases.

use super::{
    Step, StompConfig, StompStart,
    connect::Connecting,
    context::{Context, Numbers},
    failure::{About, Close, Failure, Fatal, Rejected},
    open::OpenConnection,
    phases::{PHASES, PhaseEvent, PhaseName},
    rules::body::CORRELATION_ID,
};
use crate::{
    model::{ChannelName, ClientInfo, ErrorCode, Position, Refusal, Secret, Tick},
    protocol::{
        Push, Reply,
        centrifuge::Payload,
        stomp::{BadFrame, ClientCommand, Frame, Framing, Parser, Version, sockjs_unwrap},
    },
};
use std::sync::Arc;

/// Close code after a DISCONNECT (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1000;

/// The state of one STOMP connection between its frames and the session.
#[derive(Debug)]
pub struct Translator {
    config: Arc<StompConfig>,
    framing: Framing,
    parser: Parser,
    numbers: Numbers,
    phase: Phase,
    /// Whether a frame became complete since [`Self::take_completed`] was called.
    completed: bool,
}

#[derive(Debug)]
enum Phase {
    /// The token of the handshake.
    AwaitingConnect(Option<Secret>),
    Connecting(Box<Connecting>),
    Open(OpenConnection),
    Ending(Box<Ending>),
    Closed,
}

/// A connection that closes as soon as everything in flight is answered.
#[derive(Debug)]
struct Ending {
    open: OpenConnection,
    last: LastFrame,
}

/// What the client gets right before the close.
#[derive(Debug)]
enum LastFrame {
    /// The RECEIPT of its DISCONNECT with this `receipt` header.
    Receipt(Option<Box<str>>),
    /// An ERROR.
    Error(Fatal),
}

impl Phase {
    fn name(&self) -> PhaseName {
        match self {
            Self::AwaitingConnect(_) => PhaseName::AwaitingConnect,
            Self::Connecting(_) => PhaseName::Connecting,
            Self::Open(_) => PhaseName::Open,
            Self::Ending(_) => PhaseName::Ending,
            Self::Closed => PhaseName::Closed,
        }
    }

    /// The version in which frames are written. Before CONNECTED, clients read no escapes.
    fn version(&self) -> Version {
        match self {
            Self::Open(open) => open.version(),
            Self::Ending(ending) => ending.open.version(),
            Self::AwaitingConnect(_) | Self::Connecting(_) | Self::Closed => Version::V1_0,
        }
    }

    fn open(&self) -> Option<&OpenConnection> {
        match self {
            Self::Open(open) => Some(open),
            Self::Ending(ending) => Some(&ending.open),
            Self::AwaitingConnect(_) | Self::Connecting(_) | Self::Closed => None,
        }
    }

    fn open_mut(&mut self) -> Option<&mut OpenConnection> {
        match self {
            Self::Open(open) => Some(open),
            Self::Ending(ending) => Some(&mut ending.open),
            Self::AwaitingConnect(_) | Self::Connecting(_) | Self::Closed => None,
        }
    }
}

/// A context for one input. It borrows all of the translator but the parser and the phase.
macro_rules! context {
    ($self:ident, $now:expr, $steps:expr) => {
        Context {
            now: $now,
            config: &$self.config,
            version: $self.phase.version(),
            framing: $self.framing,
            numbers: &mut $self.numbers,
            steps: $steps,
        }
    };
}

impl Translator {
    /// A connection that waits for CONNECT.
    pub fn new(config: Arc<StompConfig>, start: StompStart) -> Self {
        let parser = Parser::new(config.limits);
        Self {
            config,
            framing: start.framing,
            parser,
            numbers: Numbers::default(),
            phase: Phase::AwaitingConnect(start.token),
            completed: false,
        }
    }

    /// A WebSocket message of the client arrived. Frames that have to wait stay in the parser.
    pub fn message(&mut self, now: Tick, payload: Payload<'_>, steps: &mut Vec<Step>) {
        self.received(now);
        if matches!(self.phase, Phase::Ending(_) | Phase::Closed) {
            return;
        }
        if let Err(bad) = self.read(payload) {
            self.fail(now, bad.into(), steps);
        }
        self.run(now, steps);
    }

    /// The session knows who the connection is. It comes before the answer to the connect command.
    pub fn identified(&mut self, info: &Arc<ClientInfo>) {
        if let Phase::Connecting(connecting) = &mut self.phase {
            connecting.info = Some(info.clone());
        }
    }

    /// The session answered the command with this id.
    pub fn reply(&mut self, now: Tick, id: u32, reply: Reply, steps: &mut Vec<Step>) {
        let was_reading = self.wants_input();
        let mut cx = context!(self, now, steps);
        let fatal = match &mut self.phase {
            Phase::Open(open) => open.reply(&mut cx, id, reply),
            Phase::Ending(ending) => ending.open.reply(&mut cx, id, reply),
            Phase::Connecting(connecting) if connecting.command == id => return self.connected(now, reply, steps),
            Phase::AwaitingConnect(_) | Phase::Connecting(_) | Phase::Closed => return,
        };
        if let Some(fatal) = fatal {
            self.fail(now, fatal, steps);
        }
        self.run(now, steps);
        if !was_reading && self.wants_input() {
            self.received(now);
        }
    }

    /// The connection left a channel, after it got everything up to this position. It comes before the answer to the unsubscribe command.
    pub fn left(&mut self, channel: &ChannelName, at: Option<Position>) {
        if let Some(open) = self.phase.open_mut() {
            open.left(channel, at);
        }
    }

    /// The session has something for the client that answers no command.
    pub fn push(&mut self, now: Tick, push: Push, steps: &mut Vec<Step>) {
        let mut cx = context!(self, now, steps);
        if let Some(open) = self.phase.open_mut()
            && let Some(fatal) = open.push(&mut cx, push)
        {
            self.fail(now, fatal, steps);
            self.run(now, steps);
        }
    }

    /// The client answered a ping of the WebSocket.
    pub fn control_pong(&mut self, now: Tick) {
        self.received(now);
    }

    /// The deadline may have passed. `reading`: whether the connection is read, as far as others decide about it. Nobody is silent who is not read.
    pub fn timer(&mut self, now: Tick, reading: bool, steps: &mut Vec<Step>) {
        let reading = reading && self.wants_input();
        let mut cx = context!(self, now, steps);
        if let Some(open) = self.phase.open_mut()
            && let Some(close) = open.timer(&mut cx, reading)
        {
            self.close(close, steps);
        }
    }

    /// When [`Self::timer`] is due.
    pub fn deadline(&self) -> Option<Tick> {
        self.phase.open().and_then(OpenConnection::deadline)
    }

    /// Whether to read from the connection: the next frame need not wait for an answer of the session.
    pub fn wants_input(&self) -> bool {
        match &self.phase {
            Phase::AwaitingConnect(_) | Phase::Ending(_) | Phase::Closed => true,
            Phase::Connecting(_) => false,
            Phase::Open(open) => open.takes_frames(&self.config),
        }
    }

    /// Whether a part of a frame arrived.
    pub fn is_mid_frame(&self) -> bool {
        self.parser.is_mid_frame()
    }

    /// Whether a frame became complete since the last call. If so, an incomplete one began after it.
    pub fn take_completed(&mut self) -> bool {
        std::mem::take(&mut self.completed)
    }

    /// The session or the gateway closes the connection. Clients do not learn the reason of a close, so an ERROR with it comes first, unless the code
    /// (3000 to 3499, 4000 to 4499) is only a reason to connect again. The caller sends the close frame.
    pub fn closing(&mut self, now: Tick, code: u16, reason: &str, steps: &mut Vec<Step>) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let mut cx = context!(self, now, steps);
        match &self.phase {
            Phase::Ending(ending) if let LastFrame::Error(fatal) = &ending.last => fatal.failure.tell(&mut cx, &fatal.about),
            _ if matches!(code, 3000..=3499 | 4000..=4499) => {}
            _ => Failure::of_service(code.into(), reason.to_owned(), false).tell(&mut cx, &About::default()),
        }
        self.enter(PhaseEvent::Close, Phase::Closed);
    }

    /// Memory used for incomplete frames, in bytes.
    pub fn buffered(&self) -> usize {
        self.parser.buffered()
    }

    /// Bytes that an open connection holds besides itself and its subscriptions.
    #[cfg(test)]
    pub(super) fn spare_memory(&self) -> usize {
        let open = if let Phase::Open(open) = &self.phase { open.spare_memory() } else { 0 };
        open + self.parser.buffered()
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    fn received(&mut self, now: Tick) {
        if let Some(open) = self.phase.open_mut() {
            open.received(now);
        }
    }

    /// Gives the bytes of a message to the parser.
    fn read(&mut self, payload: Payload<'_>) -> Result<(), BadFrame> {
        match (self.framing, payload) {
            (Framing::WebSocket, Payload::Text(text)) => self.parser.push(text.as_bytes()),
            (Framing::WebSocket, Payload::Binary(bytes)) => self.parser.push(bytes),
            (Framing::SockJs, Payload::Text(text)) => {
                for text in sockjs_unwrap(text)? {
                    self.parser.push(text.as_bytes());
                }
            }
            (Framing::SockJs, Payload::Binary(_)) => return Err(BadFrame::BadSockJs),
        }
        Ok(())
    }

    /// Handles the frames that need not wait.
    fn run(&mut self, now: Tick, steps: &mut Vec<Step>) {
        while matches!(self.phase, Phase::AwaitingConnect(_) | Phase::Open(_)) && self.wants_input() {
            match self.parser.next() {
                Ok(Some(frame)) => {
                    self.completed = true;
                    self.frame(now, frame, steps);
                }
                Ok(None) => break,
                Err(bad) => self.fail(now, bad.into(), steps),
            }
        }
        if let Phase::Ending(ending) = &self.phase
            && ending.open.is_idle()
        {
            let mut cx = context!(self, now, steps);
            let close = match &ending.last {
                LastFrame::Receipt(receipt) => {
                    cx.confirm(receipt.as_deref());
                    Close { code: NORMAL, reason: "".into() }
                }
                LastFrame::Error(Fatal { failure, about }) => {
                    failure.tell(&mut cx, about);
                    failure.close()
                }
            };
            self.close(close, steps);
        }
    }

    fn frame(&mut self, now: Tick, frame: Frame, steps: &mut Vec<Step>) {
        let receipt: Option<Box<str>> = frame.headers.get("receipt").map(Into::into);
        let correlation_id: Option<Box<str>> = frame.headers.get(CORRELATION_ID).map(Into::into);
        let mut cx = context!(self, now, steps);
        let result = match &mut self.phase {
            Phase::AwaitingConnect(token) => Connecting::begin(&mut cx, &frame, token.as_ref().map(Secret::expose)).map(Some),
            Phase::Open(_) if frame.command == ClientCommand::Disconnect => {
                return self.begin_ending(PhaseEvent::DisconnectReceived, LastFrame::Receipt(receipt));
            }
            Phase::Open(open) => open.frame(&mut cx, frame).map(|()| None),
            Phase::Connecting(_) | Phase::Ending(_) | Phase::Closed => Ok(None),
        };
        match result {
            Ok(Some(connecting)) => self.enter(PhaseEvent::ConnectReceived, Phase::Connecting(Box::new(connecting))),
            Ok(None) => {}
            Err(Rejected { failure, after }) => {
                let about = About { receipt, correlation_id };
                let fatal = match &self.phase {
                    Phase::Open(open) => open.refuse(&mut cx, failure, about, after),
                    _ => Some(Fatal { failure, about }),
                };
                if let Some(fatal) = fatal {
                    self.fail(now, fatal, steps);
                }
            }
        }
    }

    /// The session answered the connect command.
    fn connected(&mut self, now: Tick, reply: Reply, steps: &mut Vec<Step>) {
        let Phase::Connecting(connecting) = &self.phase else { return };
        let failure = match reply {
            Reply::Connect(connected) => {
                let (open, heart_beat) = (OpenConnection::begin(now, connecting), connecting.heart_beat);
                self.parser.set_version(open.version());
                self.enter(PhaseEvent::Connected, Phase::Open(open));
                if let Phase::Open(open) = &self.phase {
                    open.greet(&mut context!(self, now, steps), heart_beat, &connected);
                }
                return self.run(now, steps);
            }
            Reply::Error(refusal) => Failure::from(refusal),
            Reply::CallFailed { code, message, temporary } => Failure::of_service(code, message, temporary),
            _ => Failure::from(Refusal::from(ErrorCode::Internal)),
        };
        self.fail(now, failure.into(), steps);
    }

    /// What is in flight is still answered. Open transactions are aborted, and what was not read of the last message does not count.
    fn begin_ending(&mut self, event: PhaseEvent, last: LastFrame) {
        debug_assert_eq!(PHASES.next(self.phase.name(), event), Ok(PhaseName::Ending));
        if let Phase::Open(open) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.parser = Parser::new(self.config.limits);
            self.phase = Phase::Ending(Box::new(Ending { open, last }));
        }
    }

    /// Sends an ERROR, and closes the connection: at once, or after what is in flight is answered.
    fn fail(&mut self, now: Tick, fatal: Fatal, steps: &mut Vec<Step>) {
        match &mut self.phase {
            Phase::Open(_) => self.begin_ending(PhaseEvent::Failed, LastFrame::Error(fatal)),
            Phase::Ending(ending) if matches!(ending.last, LastFrame::Receipt(_)) => ending.last = LastFrame::Error(fatal),
            Phase::Ending(_) => fatal.failure.tell(&mut context!(self, now, steps), &fatal.about),
            Phase::AwaitingConnect(_) | Phase::Connecting(_) | Phase::Closed => {
                fatal.failure.tell(&mut context!(self, now, steps), &fatal.about);
                self.close(fatal.failure.close(), steps);
            }
        }
    }

    fn close(&mut self, Close { code, reason }: Close, steps: &mut Vec<Step>) {
        steps.push(Step::Close(code, reason));
        self.enter(PhaseEvent::Close, Phase::Closed);
    }

    fn enter(&mut self, event: PhaseEvent, phase: Phase) {
        debug_assert_eq!(PHASES.next(self.phase.name(), event), Ok(phase.name()));
        self.phase = phase;
    }
}
