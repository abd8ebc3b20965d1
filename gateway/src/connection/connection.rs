//! A connection: its session, and the socket that carries it.

use super::{close_cause::Cause, driver::Driver, worker::Worker};
use crate::{
    hub::Written,
    telemetry::{Count, TransportEnd},
    transport::{self, Abort, Wire},
};
use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// One connection: a future that ends with it.
pub struct Connection<T> {
    wire: Wire<T>,
    driver: Driver,
}

impl<T> Connection<T> {
    /// A connection whose upgrade has been answered. `traceparent` is that of the upgrade request.
    pub fn new(worker: Rc<Worker>, wire: Wire<T>, traceparent: Option<Box<str>>) -> Self {
        Self { wire, driver: Driver::new(worker, traceparent) }
    }

    /// Closes with 3506: the client asked for a form of the protocol that the gateway does not support.
    pub fn refuse_form(&mut self) {
        self.driver.refuse_form();
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
                (_, false) => transport::Next::Pause,
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
                Written { result: (wrote.state, wrote.bytes), begun: wire.front_written() > 0 }
            });
            driver.worker.hub.metrics().count(Count::BytesOut, freed as u64);
            match state {
                Poll::Ready(Err(_)) => return Err(TransportEnd::Reset),
                Poll::Ready(Ok(())) if driver.ending.as_ref().is_some_and(|ending| ending.answered) => {
                    return Err(TransportEnd::PeerClosed);
                }
                Poll::Ready(Ok(())) if driver.ending.as_ref().is_some_and(|ending| ending.discards_input) => {
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
        this.driver.registered.outbox().clear_waker();
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
