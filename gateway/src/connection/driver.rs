//! Drives one session: its inputs, operations and deadlines.

use super::{
    close_cause::{CloseCause, Closing},
    dialect::{ChosenProtocol, Dialect},
    lifecycle::LifecycleState,
    limits::WorkSize,
    operations::{RunningTask, TaskId, TaskResult},
    worker_context::WorkerContext,
};
use crate::{
    broker::PostedCommands,
    hub::{Batch, CatchUpStep, Drain, LiveStatus, Notice, PostedSession, Registration},
    services::KeptRequest,
    telemetry::{CommandKind, Count, TransportEnd},
};
use gateway_core::{
    model::{ClientInfo, ConnectionId, Disconnect, Meta, Refusal, Secret, ServerCommand, Tick, WallClock},
    protocol::{
        Command, Request,
        centrifuge::{Codec, Encoding, Payload},
        websocket::{self, Event},
    },
    session::{Action, Input, Session, SessionStart},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

/// What the request decides about a connection.
#[derive(Debug)]
pub struct Handshake {
    /// The id of the connection.
    pub id: ConnectionId,
    /// The protocol of all messages.
    pub protocol: ChosenProtocol,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The `traceparent` of the request.
    pub traceparent: Option<Box<str>>,
    /// What services may get of the request.
    pub request: KeptRequest,
}

/// A connection without its transport.
pub(super) struct Driver {
    pub(super) session: Session,
    pub(super) needs: SessionNeeds,
    pub(super) worker: Rc<WorkerContext>,
    pub(super) dialect: Dialect,
    pub(super) registration: Registration,
    pub(super) info: Option<Arc<ClientInfo>>,
    /// What a service keeps with the connection.
    pub(super) meta: Option<Meta>,
    pub(super) lifecycle_state: LifecycleState,
    pub(super) traceparent: Option<Box<str>>,
    pub(super) request: KeptRequest,
    pub(super) running: Vec<RunningTask>,
    pub(super) closing: Option<Box<Closing>>,
    /// Whether the node drains, so that the connection closes as soon as no operation of its session is in flight.
    pub(super) is_draining: bool,
    pub(super) reading: Reading,
    /// Whether the connection has ended, and waits for the turn in which it is removed.
    pub(super) has_ended: bool,
    /// When the first byte of an incomplete message arrived, or of a STOMP frame in several messages.
    pub(super) incomplete_since: Option<Tick>,
    /// The next scheduled wake-up by the hub. A moment that has passed: none is scheduled.
    pub(super) next_wake: Tick,
    /// Size of the messages whose commands are in operation.
    pub(super) held: WorkSize,
    /// What the budget of the worker counts for the connection.
    pub(super) counted: WorkSize,
}

/// How the connection is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Whether the last wake-up read nothing, because the connection took no input or waited for a turn.
    pub(super) is_paused: bool,
    /// Whether the next input needs a turn, because an answer was large. That ends with the next message or posted command.
    pub(super) needs_turn: bool,
}

/// What the session needs until its next input: copies of `Session::deadline` and `Session::wants_input`. A wake-up for a delivery reads
/// only this copy, so that it does not load the session into the CPU cache.
#[derive(Clone, Copy)]
pub(super) struct SessionNeeds {
    /// When the session needs a tick, or [`Tick::NEVER`]. An option would need eight more bytes.
    tick: Tick,
    /// Whether the session takes input.
    pub(super) input: bool,
}

impl SessionNeeds {
    fn of(session: &Session) -> Self {
        Self { tick: session.deadline().unwrap_or(Tick::NEVER), input: session.wants_input() }
    }
}

/// So many entries in an answer are as much work as many commands.
const MANY_ENTRIES: usize = 32;

thread_local! {
    static ACTIONS: RefCell<Vec<Action>> = const { RefCell::new(Vec::new()) };
}

impl Driver {
    pub(super) fn new(worker: Rc<WorkerContext>, handshake: Handshake) -> Self {
        let Handshake { id, protocol, address, traceparent, request } = handshake;
        let registration = worker.hub.register(id, protocol.of_hub());
        let posted = protocol.is_posted().then(|| Box::new(worker.hub.open_session(registration.key())));
        if let Some(address) = address {
            worker.hub.set_address(registration.key(), address);
        }
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let (ping_form, server_side) = protocol.session_forms();
        let clock = WallClock { tick: worker.hub.now(), unix_ms };
        let start = SessionStart { clock, first_ping: rand::random(), ping_form, server_side };
        let dialect = protocol.begin(&worker.node.stomp_config, posted, clock.tick);
        let session = Session::new(id, worker.node.session_config.clone(), start);
        worker.hub.metrics().count(Count::ConnectionsOpened, 1);
        let (needs, running, closing, is_draining, incomplete_since, next_wake) =
            (SessionNeeds::of(&session), Vec::new(), None, false, None, Tick::default());
        let (info, meta, lifecycle_state) = (None, None, LifecycleState::NotConnected);
        let mut driver = Self {
            session,
            needs,
            worker,
            dialect,
            registration,
            info,
            meta,
            lifecycle_state,
            traceparent,
            request,
            running,
            closing,
            is_draining,
            reading: Reading::default(),
            has_ended: false,
            incomplete_since,
            next_wake,
            held: WorkSize::default(),
            counted: WorkSize::default(),
        };
        driver.open_sockjs();
        driver
    }

    pub(super) fn now(&self) -> Tick {
        self.worker.hub.now()
    }

    /// Passes an input to the session and performs its actions.
    pub(super) fn input(&mut self, input: Input) {
        if self.closing.is_some() {
            return;
        }
        let mut actions = ACTIONS.take();
        self.session.handle(self.now(), input, &mut actions);
        self.needs = SessionNeeds::of(&self.session);
        self.apply(&mut actions);
        actions.clear();
        ACTIONS.set(actions);
        self.run_deferred();
    }

    pub(super) fn notices(&mut self) {
        for notice in self.registration.outbox().take_notices() {
            match notice {
                Notice::Server(command) => self.input(Input::Server(command)),
                Notice::Registered => self.on_registered(),
                Notice::SubscriptionRegistered(channel) => self.on_subscription_registered(channel),
                Notice::ReportPending => self.report_pending(),
                Notice::PublicationsLost(channel) => self.input(Input::PublicationsLost(channel)),
                Notice::Tick => {}
                Notice::WorkBudgetSpent => self.end_work(),
                Notice::Drain(Drain::WhenIdle) => self.is_draining = true,
                Notice::Drain(Drain::Now) => self.shut_down(),
            }
        }
    }

    pub(super) fn shut_down(&mut self) {
        let (code, reason) = (Disconnect::Shutdown.code(), Disconnect::Shutdown.reason().into());
        self.input(Input::Server(ServerCommand::Disconnect { code, reason }));
    }

    /// Acts on deadlines that have passed. Returns false once the peer's time to answer the close frame is over.
    pub(super) fn deadlines(&mut self, now: Tick) -> bool {
        if let Some(closing) = &self.closing {
            return now < closing.deadline;
        }
        if self.incomplete_since.is_some_and(|since| now.since(since) >= self.worker.limits.message_timeout) {
            self.close(CloseCause::MessageTimeout, 1008, "message not complete in time");
        }
        if self.registration.outbox().oldest().is_some_and(|since| now.since(since) >= self.worker.limits.write_timeout) {
            self.close_slow(CloseCause::WriteTimeout);
        }
        if let Some(overflow) = self.registration.outbox().overflow() {
            self.close_slow(CloseCause::Slow(overflow));
        }
        if self.needs.tick <= now {
            if !self.is_read() {
                self.input(Input::NotRead);
            }
            self.input(Input::Timer);
        }
        if self.dialect.deadline().is_some_and(|at| at <= now) && self.closing.is_none() {
            self.stomp_timer();
        }
        true
    }

    /// Schedules a wake-up by the hub at the next deadline.
    pub(super) fn schedule(&mut self, now: Tick) {
        let limits = &self.worker.limits;
        let oldest = self.registration.outbox().oldest();
        let next = match &self.closing {
            Some(closing) => Some(closing.deadline),
            None => [
                Some(self.needs.tick).filter(|at| *at < Tick::NEVER),
                self.dialect.deadline(),
                self.incomplete_since.map(|since| since.after(limits.message_timeout)),
                oldest.map(|since| since.after(limits.write_timeout)),
            ]
            .into_iter()
            .flatten()
            .min(),
        };
        let scheduled = Some(self.next_wake).filter(|at| *at > now);
        if let Some(next) = next
            && scheduled.is_none_or(|at| next < at)
        {
            self.next_wake = next;
            self.worker.hub.wake_at(next, self.registration.key());
        }
    }

    /// Polls operations until all of them are pending, or the outbox has no room.
    pub(super) fn poll_tasks(&mut self, cx: &mut Context<'_>) {
        let mut index = 0;
        while self.registration.outbox().has_room()
            && let Some(running) = self.running.get_mut(index)
        {
            let Poll::Ready(end) = running.future.as_mut().poll(cx) else {
                index += 1;
                continue;
            };
            // The others stay in the order in which they began, which is the order of calls.
            let task = self.running.remove(index).task;
            match (task, end) {
                (TaskId::Operation(id), TaskResult::Operation(outcome)) => {
                    self.count_wrong_token(&outcome);
                    if outcome.entries() >= MANY_ENTRIES {
                        self.reading.needs_turn = true;
                    }
                    self.input(Input::Done(id, outcome));
                }
                (TaskId::CatchUp(channel), TaskResult::CatchUp(CatchUpStep::Lost)) => self.input(Input::PublicationsLost(channel)),
                (TaskId::CatchUp(channel), TaskResult::CatchUp(CatchUpStep::Status(LiveStatus::Live))) => self.on_live(channel),
                _ => {}
            }
            index = 0;
        }
        if self.is_draining && !self.running.iter().any(|running| matches!(running.task, TaskId::Operation(_))) {
            self.shut_down();
        }
        if self.running.is_empty() {
            self.held = WorkSize::default();
            if self.running.capacity() > 0 {
                self.running = Vec::new();
            }
        }
    }

    /// Whether the connection takes input from the peer.
    pub(super) fn wants_input(&self) -> bool {
        self.closing.is_some() || (self.needs.input && self.dialect.wants_input() && self.registration.outbox().has_room())
    }

    /// Whether what the peer has sent is read. If not, its silence means nothing.
    pub(super) fn is_read(&self) -> bool {
        !self.reading.is_paused && self.wants_input()
    }

    /// Wakes the connection's own task if this turn caused more work: input that was left in the socket can be read now, or replies have overflowed
    /// the outbox. No other waker covers these two cases.
    pub(super) fn wake_if_ready(&self, held: bool, cx: &Context<'_>) {
        let overflowed = self.closing.is_none() && self.registration.outbox().overflow().is_some();
        if overflowed || (held && self.wants_input()) {
            cx.waker().wake_by_ref();
        }
    }

    fn message(&mut self, now: Tick, payload: Payload<'_>) {
        let size = payload.len();
        self.commands_of(now, payload);
        if !self.running.is_empty() {
            self.held = WorkSize::of(self.held.bytes() + size);
        }
    }

    fn commands_of(&mut self, now: Tick, payload: Payload<'_>) {
        let metrics = self.worker.hub.metrics();
        metrics.count(Count::FramesIn, 1);
        metrics.count(Count::BytesIn, payload.len() as u64);
        // Messages of STOMP need not have commands: heart-beats, acknowledgements, parts of frames.
        let own_cost = u64::from(matches!(self.dialect, Dialect::Stomp(_)));
        if !self.charge(now, payload.len(), own_cost) {
            return;
        }
        let Dialect::Centrifuge(encoding, _) = self.dialect else { return self.stomp_message(payload) };
        let codec = encoding.codec();
        let Some(commands) = codec.decode(payload) else { return self.refuse_other_encoding(encoding) };
        for command in commands {
            match command {
                Ok(command) => self.command(command),
                Err(bad) => return self.close(CloseCause::Session, Disconnect::BadRequest.code(), &bad.to_string()),
            }
        }
    }

    /// Passes commands that came in requests of their own to the session, at most `limit` requests. Returns whether some are left.
    pub(super) fn take_posted(&mut self, limit: usize, now: Tick, cx: &mut Context<'_>) -> bool {
        for _ in 0..limit {
            if !self.wants_input() {
                return false;
            }
            let Some(commands) = self.dialect.posted().and_then(PostedSession::pop) else { return false };
            self.reading.needs_turn = false;
            if self.closing.is_none() {
                match &commands {
                    PostedCommands::Json(text) => self.message(now, Payload::Text(text)),
                    PostedCommands::Protobuf(bytes) => self.message(now, Payload::Binary(bytes)),
                }
            }
            self.poll_tasks(cx);
        }
        self.dialect.posted().is_some_and(|posted| !posted.is_empty())
    }

    /// Passes a command of the frontend to the session.
    pub(super) fn command(&mut self, mut command: Command) {
        if let Some(kind) = kind(&command.request) {
            self.worker.hub.metrics().command(kind);
        }
        if let Request::Connect(connect) = &mut command.request
            && let Err(refusal) = self.take_headers(std::mem::take(&mut connect.headers))
        {
            command.request = Request::Refused(refusal);
        }
        self.input(Input::Command(command));
    }

    /// Takes what is needed of the headers of a connect command.
    fn take_headers(&mut self, mut headers: BTreeMap<String, Secret>) -> Result<(), Refusal> {
        if let Some(traceparent) = headers.remove("traceparent") {
            self.traceparent = Some(traceparent.expose().into());
        }
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
        self.request = self.worker.node.services.request_keeper().add_emulated(&self.request, headers)?;
        Ok(())
    }

    pub(super) fn ping(&mut self) {
        if matches!(self.dialect, Dialect::EventSource(_)) {
            return self.beat_stream();
        }
        self.beat_sockjs();
        self.control_frame(|frame| websocket::encode::ping(b"", frame));
    }

    fn control_frame(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut frame = Vec::new();
        encode(&mut frame);
        self.registration.outbox().push(self.now(), Batch::new(frame, self.worker.hub.budget()));
    }

    fn refuse_other_encoding(&mut self, encoding: Encoding) {
        let reason = match encoding.codec() {
            _ if encoding.is_stream() => "the commands are not in the encoding of the stream",
            Codec::Json => "this connection uses JSON in text messages; offer centrifuge-protobuf for binary messages",
            Codec::Protobuf => "this connection uses Protobuf in binary messages; offer centrifuge-json for text messages",
        };
        self.close(CloseCause::Session, Disconnect::InappropriateProtocol.code(), reason);
    }

    pub(super) fn event(&mut self, now: Tick, event: Event<'_>) {
        match event {
            Event::Close(code, _) => self.close_by_peer(code),
            _ if self.closing.is_some() => {}
            Event::Text(text) => self.message(now, Payload::Text(text)),
            Event::Binary(bytes) => self.message(now, Payload::Binary(bytes)),
            Event::Ping(payload) if self.charge(now, payload.len(), 1) => {
                self.control_frame(|frame| websocket::encode::pong(payload, frame));
            }
            Event::Pong(payload) if self.charge(now, payload.len(), 1) => {
                self.stomp_pong();
                self.input(Input::ControlPong);
            }
            Event::Ping(_) | Event::Pong(_) => {}
        }
    }
}

/// The metrics label of a command. `None` for a command that the decoder refused.
fn kind(request: &Request) -> Option<CommandKind> {
    Some(match request {
        Request::Connect(_) => CommandKind::Connect,
        Request::Subscribe(_) => CommandKind::Subscribe,
        Request::Unsubscribe { .. } => CommandKind::Unsubscribe,
        Request::Publish { .. } | Request::PublishReply { .. } => CommandKind::Publish,
        Request::Presence { .. } => CommandKind::Presence,
        Request::PresenceStats { .. } => CommandKind::PresenceStats,
        Request::History(_) => CommandKind::History,
        Request::Rpc { .. } => CommandKind::Rpc,
        Request::Send { .. } => CommandKind::Send,
        Request::Refresh { .. } => CommandKind::Refresh,
        Request::SubRefresh { .. } => CommandKind::SubRefresh,
        Request::Ping => CommandKind::Ping,
        Request::Pong => CommandKind::Pong,
        Request::Refused(_) => return None,
    })
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.worker.work_budget.change(self.registration.key(), self.counted.bytes(), 0);
        if std::thread::panicking() {
            self.count_end(TransportEnd::Panicked);
        }
        self.report_end();
    }
}
