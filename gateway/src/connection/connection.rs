//! A connection: its driver and its socket.

use super::{
    close_cause::CloseCause,
    driver::{Driver, Handshake},
    worker_context::WorkerContext,
};
use crate::{
    broker::PostedCommands,
    hub::{Batch, Written},
    telemetry::{Count, TransportEnd},
    transport::{self, Abort, Wire},
};
use gateway_core::{limits::Limit, model::Tick, protocol::websocket::Violation};
use shared_proto::http::Ticket;
use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// One connection, as a future that completes when the connection has ended.
pub struct Connection<T> {
    wire: Wire<T>,
    driver: Driver,
    /// Its place among those that wait for a turn.
    ticket: Option<Ticket>,
}

impl<T> Connection<T> {
    /// Creates a connection after the answer to its request.
    pub fn new(worker: Rc<WorkerContext>, wire: Wire<T>, handshake: Handshake) -> Self {
        Self::of_driver(wire, Driver::new(worker, handshake))
    }

    pub(super) fn of_driver(wire: Wire<T>, driver: Driver) -> Self {
        Self { wire, driver, ticket: None }
    }

    /// What comes before all messages.
    #[must_use]
    pub fn with_first_bytes(self, bytes: Vec<u8>) -> Self {
        let Self { driver, .. } = &self;
        if !bytes.is_empty() {
            driver.registration.outbox().push(driver.now(), Batch::new(bytes, driver.worker.hub.budget()));
        }
        self
    }

    /// The commands in the request that opened the stream.
    #[must_use]
    pub fn with_first_commands(self, commands: PostedCommands) -> Self {
        if let Some(posted) = self.driver.dialect.posted() {
            posted.push(commands);
        }
        self
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Reads the messages of one turn. Fails once the peer can send no more.
    fn read(&mut self, now: Tick, cx: &mut Context<'_>) -> Result<(), TransportEnd> {
        let Self { wire, driver, ticket } = self;
        driver.reading.is_paused = true;
        if !driver.wants_input() {
            // The time limit of a message does not apply while the gateway does not read.
            driver.incomplete_since = None;
            return Ok(());
        }
        let limits = driver.worker.limits;
        if driver.info.is_some() {
            wire.allow_messages(limits.message_size);
            // Only reading waits. What the connection has to write may free memory, and so does its end.
            let needs_turn = wire.has_more() || (driver.reading.needs_turn && Self::has_input(wire, driver, cx)?);
            if needs_turn && driver.worker.continued_turns.poll(ticket, cx).is_pending() {
                return Ok(());
            }
        }
        driver.reading.is_paused = false;
        let mut left = limits.turn_messages;
        let waker = cx.waker();
        let turn = wire.poll_turn(&mut Context::from_waker(waker), limits.turn_bytes, |event| {
            driver.reading.needs_turn = false;
            driver.event(now, event);
            // Polling here puts the replies into the outbox before the driver decides whether to take the next command.
            driver.poll_tasks(&mut Context::from_waker(waker));
            left -= 1;
            match (left, driver.wants_input()) {
                (_, false) => transport::Next::Pause,
                (0, true) => transport::Next::Yield,
                _ => transport::Next::Continue,
            }
        });
        let (completed_message, completed_frame) = (wire.take_completed(), driver.dialect.take_completed());
        if completed_frame || (completed_message && !driver.dialect.is_mid_frame()) {
            driver.incomplete_since = None;
        }
        let awaited = (wire.is_mid_message() || driver.dialect.is_mid_frame()) && driver.wants_input();
        driver.incomplete_since = awaited.then(|| driver.incomplete_since.unwrap_or_else(|| driver.now()));
        match turn {
            Poll::Pending => {
                if driver.dialect.posted().is_some() && driver.take_posted(limits.turn_messages, now, cx) {
                    cx.waker().wake_by_ref();
                }
                Ok(())
            }
            Poll::Ready(transport::End::Violation(violation)) => {
                if matches!(violation, Violation::TooLarge { limit } if limit < limits.message_size) {
                    driver.worker.node.metrics.limited(Limit::MessageBeforeConnect);
                }
                driver.close(CloseCause::Violation(violation), violation.code(), &violation.to_string());
                // The next turn reads and discards further input.
                cx.waker().wake_by_ref();
                Ok(())
            }
            Poll::Ready(transport::End::Eof) => Err(TransportEnd::PeerGone),
            Poll::Ready(transport::End::Failed(_)) => Err(TransportEnd::Reset),
        }
    }

    /// Whether there is input for a turn. Fails once the peer can send no more.
    fn has_input(wire: &mut Wire<T>, driver: &Driver, cx: &mut Context<'_>) -> Result<bool, TransportEnd> {
        if driver.dialect.posted().is_some_and(|posted| !posted.is_empty()) {
            return Ok(true);
        }
        match wire.poll_input(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(true)) => Ok(true),
            Poll::Ready(Ok(false)) => Err(TransportEnd::PeerGone),
            Poll::Ready(Err(_)) => Err(TransportEnd::Reset),
        }
    }

    /// Completes as soon as the connection has a turn: its removal is more work than most turns, and many may end at the same moment.
    fn end(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.driver.has_ended = true;
        self.driver.worker.end_turns.poll(&mut self.ticket, cx)
    }

    /// Writes queued frames, and polls operations as the outbox gets room. Fails once the connection can or need write no more.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), TransportEnd> {
        let Self { wire, driver, .. } = self;
        loop {
            let (state, freed) = driver.registration.outbox().write(|frames| {
                let before = frames.len();
                let wrote = wire.poll_write(cx, frames);
                driver.worker.hub.metrics().count(Count::FramesOut, (before - frames.len()) as u64);
                Written { result: (wrote.state, wrote.bytes), begun: wrote.begun }
            });
            driver.worker.hub.metrics().count(Count::BytesOut, freed as u64);
            match state {
                Poll::Ready(Err(_)) => return Err(TransportEnd::Reset),
                Poll::Ready(Ok(())) if driver.closing.as_ref().is_some_and(|closing| closing.peer_answered) => {
                    return Err(TransportEnd::PeerClosed);
                }
                Poll::Ready(Ok(())) if driver.closing.as_ref().is_some_and(|closing| closing.discards_input) => {
                    return if let Poll::Ready(Err(_)) = wire.poll_shutdown(cx) { Err(TransportEnd::Reset) } else { Ok(()) };
                }
                _ if freed == 0 || driver.running.is_empty() => return Ok(()),
                _ => driver.poll_tasks(cx),
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Abort + Unpin> Future for Connection<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.driver.has_ended {
            return this.end(cx);
        }
        if this.driver.closing.is_none() && this.driver.registration.outbox().overflow().is_some() {
            ready!(this.driver.worker.end_turns.poll(&mut this.ticket, cx));
        } else if this.driver.info.is_none() {
            ready!(this.driver.worker.connect_turns.poll(&mut this.ticket, cx));
        }
        let now = this.driver.now();
        this.driver.registration.outbox().clear_waker();
        this.driver.notices();
        if !this.driver.deadlines(now) {
            this.wire.abort();
            return this.end(cx);
        }
        this.driver.poll_tasks(cx);
        let read = this.read(now, cx);
        let held = !this.driver.wants_input();
        let written = this.write(cx);
        if let Err(end) = read.and(written) {
            this.driver.count_end(end);
            return this.end(cx);
        }
        match &this.driver.closing {
            None => {}
            Some(closing) if closing.discards_input => this.wire.discard_input(),
            // Only the close frame of the peer matters.
            Some(_) => this.wire.ignore_messages(),
        }
        if this.driver.count_work(this.wire.buffered()) {
            // The next turn writes the close frame.
            cx.waker().wake_by_ref();
        }
        this.driver.wake_if_ready(held, cx);
        this.driver.schedule(now);
        this.driver.registration.outbox().register(cx.waker());
        Poll::Pending
    }
}
