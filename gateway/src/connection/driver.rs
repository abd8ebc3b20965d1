//! Drives one session: its inputs, its operations, its deadlines.

use super::{
    close_cause::{Cause, Ending},
    lifecycle_state::LifecycleState,
    operations::{End, Running, Task},
    worker::Worker,
};
use crate::{
    hub::{Advance, Batch, Leave, Notice, Registered},
    services::LifecycleKind,
    telemetry::{CommandKind, Count, TransportEnd},
};
use gateway_core::{
    model::{ClientInfo, ConnectionId, Disconnect, ServerCommand, Tick},
    protocol::{
        Request, centrifuge,
        websocket::{self, Event},
    },
    session::{Action, Input, Session},
};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

/// All of a connection but its transport.
pub(super) struct Driver {
    pub(super) session: Session,
    pub(super) needs: SessionNeeds,
    pub(super) worker: Rc<Worker>,
    pub(super) registered: Registered,
    pub(super) info: Option<Arc<ClientInfo>>,
    pub(super) lifecycle_state: LifecycleState,
    pub(super) traceparent: Option<Box<str>>,
    pub(super) running: Vec<Running>,
    pub(super) ending: Option<Box<Ending>>,
    /// The node stops: the connection leaves as soon as no operation of its session is in flight.
    pub(super) leaving: bool,
    /// Since when a message is incomplete.
    pub(super) incomplete: Option<Tick>,
    /// When the hub wakes this connection, if it will.
    pub(super) wakes: Option<Tick>,
}

/// What the session wants until its next input. Kept beside it: a wake-up for a delivery is too frequent to fetch a session into the
/// cache for a look at its subscriptions.
#[derive(Clone, Copy)]
pub(super) struct SessionNeeds {
    /// When it wants a tick.
    tick: Option<Tick>,
    /// Whether it takes input.
    input: bool,
}

impl SessionNeeds {
    fn of(session: &Session) -> Self {
        Self { tick: session.deadline(), input: session.wants_input() }
    }
}

thread_local! {
    static ACTIONS: RefCell<Vec<Action>> = const { RefCell::new(Vec::new()) };
}

impl Driver {
    pub(super) fn new(worker: Rc<Worker>, traceparent: Option<Box<str>>) -> Self {
        let id = ConnectionId::random();
        let registered = worker.hub.register(id);
        let session = Session::new(id, worker.node.rules.clone(), worker.hub.now(), rand::random());
        worker.hub.metrics().count(Count::ConnectionsOpened, 1);
        let (needs, running, ending, leaving, incomplete, wakes) = (SessionNeeds::of(&session), Vec::new(), None, false, None, None);
        let (info, lifecycle_state) = (None, LifecycleState::No);
        Self { session, needs, worker, registered, info, lifecycle_state, traceparent, running, ending, leaving, incomplete, wakes }
    }

    pub(super) fn now(&self) -> Tick {
        self.worker.hub.now()
    }

    /// Gives the session an input and does what it wants.
    pub(super) fn input(&mut self, input: Input) {
        if self.ending.is_some() {
            return;
        }
        let mut actions = ACTIONS.take();
        self.session.handle(self.now(), input, &mut actions);
        self.needs = SessionNeeds::of(&self.session);
        self.apply(&mut actions);
        actions.clear();
        ACTIONS.set(actions);
    }

    pub(super) fn notices(&mut self) {
        for notice in self.registered.outbox().take_notices() {
            match notice {
                Notice::Server(command) => self.input(Input::Server(command)),
                Notice::Revoked(revocation) => self.input(Input::Revoked(revocation)),
                Notice::RegisteredElsewhere => self.registered_connections(),
                Notice::ReportAgain => self.report_again(),
                Notice::Lost(channel) => self.input(Input::Lost(channel)),
                Notice::Tick => {}
                Notice::Leave(Leave::WhenIdle) => self.leaving = true,
                Notice::Leave(Leave::Now) => self.shut_down(),
            }
        }
    }

    pub(super) fn shut_down(&mut self) {
        let (code, reason) = (Disconnect::Shutdown.code(), Disconnect::Shutdown.reason().into());
        self.input(Input::Server(ServerCommand::Disconnect { code, reason }));
    }

    /// Does what is due. False once the peer has had its time to answer the close.
    pub(super) fn deadlines(&mut self, now: Tick) -> bool {
        if let Some(ending) = &self.ending {
            return now < ending.until;
        }
        if self.incomplete.is_some_and(|since| now.since(since) >= self.worker.limits.message_timeout) {
            self.end(Cause::Incomplete, 1008, "message not complete in time");
        }
        if self.registered.outbox().oldest().is_some_and(|since| now.since(since) >= self.worker.limits.write_timeout) {
            self.end_slow(Cause::Stuck);
        }
        if let Some(overflow) = self.registered.outbox().overflow() {
            self.end_slow(Cause::Slow(overflow));
        }
        if self.needs.tick.is_some_and(|at| at <= now) {
            self.input(Input::Tick);
        }
        true
    }

    /// Has the hub wake this connection at its next deadline.
    pub(super) fn schedule(&mut self, now: Tick) {
        let limits = &self.worker.limits;
        let oldest = self.registered.outbox().oldest();
        let next = match &self.ending {
            Some(ending) => Some(ending.until),
            None => [
                self.needs.tick,
                self.incomplete.map(|since| since.after(limits.message_timeout)),
                oldest.map(|since| since.after(limits.write_timeout)),
            ]
            .into_iter()
            .flatten()
            .min(),
        };
        let asked = self.wakes.filter(|at| *at > now);
        if let Some(next) = next
            && asked.is_none_or(|at| next < at)
        {
            self.wakes = Some(next);
            self.worker.hub.wake_at(next, self.registered.key());
        }
    }

    /// Polls operations until none of them can go on, or their outcomes have no room.
    pub(super) fn operations(&mut self, cx: &mut Context<'_>) {
        let mut index = 0;
        while self.registered.outbox().has_room()
            && let Some(running) = self.running.get_mut(index)
        {
            let Poll::Ready(end) = running.future.as_mut().poll(cx) else {
                index += 1;
                continue;
            };
            let task = self.running.swap_remove(index).task;
            match (task, end) {
                (Task::Operation(id), End::Operation(outcome)) => self.input(Input::Done(id, outcome)),
                (Task::CatchUp(channel), End::CatchUp(Advance::Lost)) => self.input(Input::Lost(channel)),
                _ => {}
            }
            index = 0;
        }
        if self.leaving && !self.running.iter().any(|running| matches!(running.task, Task::Operation(_))) {
            self.shut_down();
        }
        if self.running.is_empty() && self.running.capacity() > 0 {
            self.running = Vec::new();
        }
    }

    /// Whether what the peer sent may be taken in.
    pub(super) fn wants_input(&self) -> bool {
        self.ending.is_some() || (self.needs.input && self.registered.outbox().has_room())
    }

    /// Nobody wakes a connection for what it did itself: for input that it left in the socket and wants again, or for answers that were too
    /// much for its outbox.
    pub(super) fn resume(&self, held: bool, cx: &Context<'_>) {
        let overflowed = self.ending.is_none() && self.registered.outbox().overflow().is_some();
        if overflowed || (held && self.wants_input()) {
            cx.waker().wake_by_ref();
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let metrics = self.worker.hub.metrics().clone();
        metrics.count(Count::FramesIn, 1);
        metrics.count(Count::BytesIn, text.len() as u64);
        for command in centrifuge::decode(text) {
            let mut command = match command {
                Ok(command) => command,
                Err(bad) => return self.end(Cause::Session, Disconnect::BadRequest.code(), &bad.to_string()),
            };
            if let Some(kind) = kind(&command.request) {
                metrics.command(kind);
            }
            if let Request::Connect(connect) = &mut command.request
                && let Some(traceparent) = connect.traceparent.take()
            {
                self.traceparent = Some(traceparent.into());
            }
            self.input(Input::Command(command));
        }
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        let mut frame = Vec::new();
        websocket::encode::pong(payload, &mut frame);
        self.registered.outbox().push(self.now(), Batch::new(frame, self.worker.hub.budget()));
    }

    pub(super) fn refuse_form(&mut self) {
        self.end(Cause::Session, Disconnect::InappropriateProtocol.code(), "the gateway supports only the JSON form of the protocol");
    }

    pub(super) fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Close(code, _) => self.end_by_peer(code),
            _ if self.ending.is_some() => {}
            Event::Text(text) => self.text(text),
            Event::Binary(_) => self.refuse_form(),
            Event::Ping(payload) => self.pong(payload),
            Event::Pong(_) => {}
        }
    }
}

/// As what a command is counted; what is refused as it came is none.
fn kind(request: &Request) -> Option<CommandKind> {
    Some(match request {
        Request::Connect(_) => CommandKind::Connect,
        Request::Subscribe(_) => CommandKind::Subscribe,
        Request::Unsubscribe { .. } => CommandKind::Unsubscribe,
        Request::Publish { .. } => CommandKind::Publish,
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
        if std::thread::panicking() {
            self.gone(TransportEnd::Panicked);
        }
        self.report(LifecycleKind::Disconnected, None);
    }
}
