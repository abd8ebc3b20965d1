//! A connection without a socket, for simulations. It takes commands and returns frames; everything else is the code of a real connection.

use super::{dialect::ChosenProtocol, driver::Driver, driver::Handshake, limits::ConnectionLimits, worker_context::WorkerContext};
use crate::{
    hub::{Frame, Written},
    services::KeptRequest,
};
use gateway_core::{
    model::ConnectionId,
    protocol::{
        Command,
        centrifuge::{Codec, Encoding},
    },
    session::{Input, PingForm},
};
use std::{rc::Rc, task::Context, time::Duration};

/// A connection without a socket.
pub(crate) struct SocketlessConnection(Driver);

impl SocketlessConnection {
    pub(crate) fn new(worker: Rc<WorkerContext>, codec: Codec) -> Self {
        Self(Driver::new(
            worker,
            Handshake {
                id: ConnectionId::random(),
                protocol: ChosenProtocol::Centrifuge { encoding: Encoding::in_messages(codec), ping_form: PingForm::Message },
                address: None,
                traceparent: None,
                request: KeptRequest::default(),
            },
        ))
    }

    /// Passes a command to the connection. Returns false if the connection takes no input at present.
    pub(crate) fn receive(&mut self, command: Command) -> bool {
        let reads = self.0.wants_input();
        if reads {
            self.0.input(Input::Command(command));
        }
        reads
    }

    /// Runs one turn of the connection's task, without its socket.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        let (now, driver) = (self.0.now(), &mut self.0);
        driver.registration.outbox().clear_waker();
        driver.notices();
        driver.deadlines(now);
        driver.poll_tasks(cx);
        driver.schedule(now);
        driver.registration.outbox().register(cx.waker());
    }

    /// Removes and returns up to `limit` queued frames. The caller has to poll the connection afterwards.
    pub(crate) fn take(&mut self, limit: usize) -> Vec<Frame> {
        let outbox = self.0.registration.outbox();
        outbox.write(|frames| Written { result: frames.drain(..limit.min(frames.len())).collect(), begun: 0 })
    }
}

/// Limits for tests.
pub(crate) fn limits() -> ConnectionLimits {
    ConnectionLimits {
        turn_bytes: 1000,
        turn_messages: 4,
        turn_connects: 16,
        turn_continued: 1,
        turn_ends: 1,
        message_size: 4096,
        work_bytes: 1 << 20,
        connect_size: 4096,
        message_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(10),
        close_timeout: Duration::from_secs(2),
    }
}
