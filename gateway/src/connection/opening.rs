//! An event stream whose request is not answered: a connection without a socket.

use super::{connection::Connection, dialect::Dialect, driver::Driver, driver::Handshake, worker_context::WorkerContext};
use crate::transport::Wire;
use gateway_core::{
    event_source::{Decision, Rejection},
    model::ErrorCode,
};
use shared_proto::http::Ticket;
use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// An event stream whose request is not answered. Dropping it ends the connection.
pub struct Opening {
    driver: Driver,
    /// Its place among those that wait for a turn.
    ticket: Option<Ticket>,
}

impl Opening {
    /// Begins a stream. The handshake has to be that of an event stream.
    pub fn new(worker: Rc<WorkerContext>, handshake: Handshake) -> Self {
        Self { driver: Driver::new(worker, handshake), ticket: None }
    }

    /// Waits until it is decided whether there is a stream. The time is bounded by that of a connect and of an attach.
    pub async fn decide(&mut self) -> Decision {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The connection of an accepted stream. Everything that it has to send comes after what `wire` has sent.
    pub fn into_connection<T>(self, wire: Wire<T>) -> Connection<T> {
        Connection::of_driver(wire, self.driver)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Decision> {
        let Self { driver, ticket } = self;
        if driver.info.is_none() {
            ready!(driver.worker.connect_turns.poll(ticket, cx));
        }
        let now = driver.now();
        driver.registration.outbox().clear_waker();
        driver.run_deferred();
        driver.notices();
        driver.deadlines(now);
        driver.poll_tasks(cx);
        let decision = if let Dialect::EventSource(stream) = &mut driver.dialect { stream.take_decision() } else { None };
        if let Some(decision) = decision {
            return Poll::Ready(decision);
        }
        if driver.closing.is_some() {
            // It was closed without a decision, because a limit was exceeded.
            return Poll::Ready(Decision::Rejected(Rejection::Later(ErrorCode::ServiceUnavailable.into())));
        }
        driver.schedule(now);
        driver.registration.outbox().register(cx.waker());
        Poll::Pending
    }
}
