//! Drives one session over one transport: its task, its outbox, its deadlines. Carries out what the session wants.
//!
//! - [`apply`]: the session's actions
//! - [`operations`]: what a session cannot do by itself; [`attach`]: joining a channel and catching up
//! - [`known`]: what services hear of a connection
//! - [`ending`]: how a connection closes

mod apply;
mod attach;
mod ending;
mod known;
mod operations;
#[cfg(feature = "testing")]
mod simulated;
#[cfg(test)]
mod tests;

use crate::{
    hub::{Advance, Batch, Hub, Leave, Notice, Registered, Written},
    node::Node,
    services::LifecycleKind,
    telemetry::{CommandKind, Count, TransportEnd},
    transport::{self, Abort, Wire},
};
use ending::{Cause, Ending};
use gateway_core::{
    model::{ClientInfo, ConnectionId, Disconnect, ServerCommand, Tick},
    protocol::{
        Request, centrifuge,
        websocket::{self, Event},
    },
    session::{Action, Input, Session},
};
use known::Known;
use operations::{End, Running, Task};
#[cfg(feature = "testing")]
pub(crate) use simulated::{Unwired, limits};
use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// Bounds of what a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Bytes read in one turn.
    pub turn_bytes: usize,
    /// Messages taken in one turn.
    pub turn_messages: usize,
    /// For a message to be complete, from its first byte.
    pub message_timeout: Duration,
    /// For a queued byte to be written.
    pub write_timeout: Duration,
    /// For the peer to answer a close.
    pub close_timeout: Duration,
    /// For a subscription to be established.
    pub attach_timeout: Duration,
}

/// What all connections of a worker share.
pub struct Worker {
    /// Their hub.
    pub hub: Rc<Hub>,
    /// Their node.
    pub node: Arc<Node>,
    /// Their bounds.
    pub limits: ConnectionLimits,
}

/// One connection: a future that ends with it.
pub struct Connection<T> {
    wire: Wire<T>,
    driver: Driver,
}

/// All of a connection but its transport.
struct Driver {
    session: Session,
    wish: Wish,
    worker: Rc<Worker>,
    registered: Registered,
    info: Option<Arc<ClientInfo>>,
    known: Known,
    traceparent: Option<Box<str>>,
    running: Vec<Running>,
    ending: Option<Box<Ending>>,
    /// The node stops: the connection leaves as soon as no operation of its session is in flight.
    leaving: bool,
    /// Since when a message is incomplete.
    incomplete: Option<Tick>,
    /// When the hub wakes this connection, if it will.
    wakes: Option<Tick>,
}

/// What the session wants until its next input. Kept beside it: a wake-up for a delivery is too frequent to fetch a session into the
/// cache for a look at its subscriptions.
#[derive(Clone, Copy)]
struct Wish {
    /// When it wants a tick.
    tick: Option<Tick>,
    /// Whether it takes input.
    input: bool,
}

impl Wish {
    fn of(session: &Session) -> Self {
        Self { tick: session.deadline(), input: session.wants_input() }
    }
}

thread_local! {
    static ACTIONS: RefCell<Vec<Action>> = const { RefCell::new(Vec::new()) };
}

impl Driver {
    fn new(worker: Rc<Worker>, traceparent: Option<Box<str>>) -> Self {
        let id = ConnectionId::random();
        let registered = worker.hub.register(id);
        let session = Session::new(id, worker.node.rules.clone(), worker.hub.now(), rand::random());
        worker.hub.metrics().count(Count::ConnectionsOpened, 1);
        let (wish, running, ending, leaving, incomplete, wakes) = (Wish::of(&session), Vec::new(), None, false, None, None);
        let (info, known) = (None, Known::No);
        Self { session, wish, worker, registered, info, known, traceparent, running, ending, leaving, incomplete, wakes }
    }

    fn now(&self) -> Tick {
        self.worker.hub.now()
    }

    /// Gives the session an input and does what it wants.
    fn input(&mut self, input: Input) {
        if self.ending.is_some() {
            return;
        }
        let mut actions = ACTIONS.take();
        self.session.handle(self.now(), input, &mut actions);
        self.wish = Wish::of(&self.session);
        self.apply(&mut actions);
        actions.clear();
        ACTIONS.set(actions);
    }

    fn notices(&mut self) {
        for notice in self.registered.outbox().take_notices() {
            match notice {
                Notice::Server(command) => self.input(Input::Server(command)),
                Notice::Revoked(revocation) => self.input(Input::Revoked(revocation)),
                Notice::Enrolled => self.enrolled(),
                Notice::Untold => self.tell_again(),
                Notice::Lost(channel) => self.input(Input::Lost(channel)),
                Notice::Tick => {}
                Notice::Leave(Leave::WhenIdle) => self.leaving = true,
                Notice::Leave(Leave::Now) => self.shut_down(),
            }
        }
    }

    fn shut_down(&mut self) {
        let (code, reason) = (Disconnect::Shutdown.code(), Disconnect::Shutdown.reason().into());
        self.input(Input::Server(ServerCommand::Disconnect { code, reason }));
    }

    /// Does what is due. False once the peer has had its time to answer the close.
    fn deadlines(&mut self, now: Tick) -> bool {
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
        if self.wish.tick.is_some_and(|at| at <= now) {
            self.input(Input::Tick);
        }
        true
    }

    /// Has the hub wake this connection at its next deadline.
    fn schedule(&mut self, now: Tick) {
        let limits = &self.worker.limits;
        let oldest = self.registered.outbox().oldest();
        let next = match &self.ending {
            Some(ending) => Some(ending.until),
            None => [
                self.wish.tick,
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
    fn operations(&mut self, cx: &mut Context<'_>) {
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
    fn wants_input(&self) -> bool {
        self.ending.is_some() || (self.wish.input && self.registered.outbox().has_room())
    }

    /// Nobody wakes a connection for what it did itself: for input that it left in the socket and wants again, or for answers that were too
    /// much for its outbox.
    fn resume(&self, held: bool, cx: &Context<'_>) {
        let overflowed = self.ending.is_none() && self.registered.outbox().overflow().is_some();
        if overflowed || (held && self.wants_input()) {
            cx.waker().wake_by_ref();
        }
    }

    fn text(&mut self, text: &str) {
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

    fn pong(&mut self, payload: &[u8]) {
        let mut frame = Vec::new();
        websocket::encode::pong(payload, &mut frame);
        self.registered.outbox().push(self.now(), Batch::new(frame, self.worker.hub.budget()));
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Close(code, _) => self.end_by_peer(code),
            _ if self.ending.is_some() => {}
            Event::Text(text) => self.text(text),
            Event::Binary(_) => {
                let protocol = Disconnect::InappropriateProtocol;
                self.end(Cause::Session, protocol.code(), "binary frames: only the JSON form is spoken here");
            }
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
        self.tell(LifecycleKind::Disconnected, None);
    }
}

impl<T> Connection<T> {
    /// A connection whose upgrade has been answered. `traceparent` is that of the upgrade request.
    pub fn new(worker: Rc<Worker>, wire: Wire<T>, traceparent: Option<Box<str>>) -> Self {
        Self { wire, driver: Driver::new(worker, traceparent) }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Reads a turn's worth. Fails when nothing more will come.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), TransportEnd> {
        let Self { wire, driver } = self;
        if !driver.wants_input() {
            // What is not read cannot be late.
            driver.incomplete = None;
            return Ok(());
        }
        let limits = driver.worker.limits;
        let mut left = limits.turn_messages;
        let waker = cx.waker();
        let turn = wire.poll_turn(&mut Context::from_waker(waker), limits.turn_bytes, |event| {
            driver.event(event);
            // At once, so that the outbox says what the answers take before the next command is looked at.
            driver.operations(&mut Context::from_waker(waker));
            left -= 1;
            match (left, driver.wants_input()) {
                (_, false) => transport::Next::Hold,
                (0, true) => transport::Next::Yield,
                _ => transport::Next::Go,
            }
        });
        if wire.take_whole() {
            driver.incomplete = None;
        }
        let awaited = wire.is_mid_message() && driver.wants_input();
        driver.incomplete = awaited.then(|| driver.incomplete.unwrap_or_else(|| driver.now()));
        match turn {
            Poll::Pending => Ok(()),
            Poll::Ready(transport::End::Violation(violation)) => {
                driver.end(Cause::Violation(violation), violation.code(), &violation.to_string());
                // What it still sends is read, until its end.
                cx.waker().wake_by_ref();
                Ok(())
            }
            Poll::Ready(transport::End::Eof) => Err(TransportEnd::PeerGone),
            Poll::Ready(transport::End::Failed(_)) => Err(TransportEnd::Reset),
        }
    }

    /// Writes what waits, and what operations queue as room comes free. Fails when nothing more can be written or has to be.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), TransportEnd> {
        let Self { wire, driver } = self;
        loop {
            let (state, freed) = driver.registered.outbox().write(|frames| {
                let before = frames.len();
                let wrote = wire.poll_write(cx, frames);
                driver.worker.hub.metrics().count(Count::FramesOut, (before - frames.len()) as u64);
                Written { result: (wrote.state, wrote.bytes), begun: wire.begun() > 0 }
            });
            driver.worker.hub.metrics().count(Count::BytesOut, freed as u64);
            match state {
                Poll::Ready(Err(_)) => return Err(TransportEnd::Reset),
                Poll::Ready(Ok(())) if driver.ending.as_ref().is_some_and(|ending| ending.answered) => {
                    return Err(TransportEnd::PeerClosed);
                }
                Poll::Ready(Ok(())) if driver.ending.as_ref().is_some_and(|ending| ending.deaf) => {
                    return if let Poll::Ready(Err(_)) = wire.poll_shutdown(cx) { Err(TransportEnd::Reset) } else { Ok(()) };
                }
                _ if freed == 0 || driver.running.is_empty() => return Ok(()),
                _ => driver.operations(cx),
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Abort + Unpin> Future for Connection<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let now = this.driver.now();
        this.driver.registered.outbox().attend();
        this.driver.notices();
        if !this.driver.deadlines(now) {
            this.wire.abort();
            return Poll::Ready(());
        }
        this.driver.operations(cx);
        let read = this.read(cx);
        let held = !this.driver.wants_input();
        let written = this.write(cx);
        if let Err(end) = read.and(written) {
            this.driver.gone(end);
            return Poll::Ready(());
        }
        this.driver.resume(held, cx);
        this.driver.schedule(now);
        this.driver.registered.outbox().register(cx.waker());
        Poll::Pending
    }
}
