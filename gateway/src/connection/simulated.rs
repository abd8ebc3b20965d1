//! A connection without a socket, for simulations: commands go in, what it would send comes out. All else is the real one.

use super::{driver::Driver, limits::ConnectionLimits, worker::Worker};
use crate::hub::{Frame, Written};
use gateway_core::{protocol::Command, session::Input};
use std::{rc::Rc, task::Context, time::Duration};

/// See the module.
pub(crate) struct SocketlessConnection(Driver);

impl SocketlessConnection {
    pub(crate) fn new(worker: Rc<Worker>) -> Self {
        Self(Driver::new(worker, None))
    }

    /// A command arrives. False: the connection does not read now.
    pub(crate) fn hears(&mut self, command: Command) -> bool {
        let reads = self.0.wants_input();
        if reads {
            self.0.input(Input::Command(command));
        }
        reads
    }

    /// A turn of the connection's task, but for its socket.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        let (now, driver) = (self.0.now(), &mut self.0);
        driver.registered.outbox().clear_waker();
        driver.notices();
        driver.deadlines(now);
        driver.operations(cx);
        driver.schedule(now);
        driver.registered.outbox().register(cx.waker());
    }

    /// The peer takes up to `most` frames. It has to be polled then.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Frame> {
        let outbox = self.0.registered.outbox();
        outbox.write(|frames| Written { result: frames.drain(..most.min(frames.len())).collect(), begun: false })
    }
}

/// Limits for tests.
pub(crate) fn limits() -> ConnectionLimits {
    ConnectionLimits {
        turn_bytes: 1000,
        turn_messages: 4,
        message_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(10),
        close_timeout: Duration::from_secs(2),
        attach_timeout: Duration::from_secs(4),
    }
}
