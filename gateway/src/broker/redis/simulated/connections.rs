//! A node's connections to the simulated server.

use super::{
    server::Server,
    subscriber::{ONLY, SimulatedSubscriber},
};
use crate::broker::{
    Mailbox,
    redis::{RedisBroker, RedisConfig, commands::driver::Pipe, redis_broker::Background},
};
use gateway_core::model::lock;
use std::sync::Arc;

/// Which connection for commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}

/// A node's connections to the server.
pub(crate) struct SimulatedConnections {
    writer: Pipe,
    reader: Pipe,
    pub(crate) subscriber: SimulatedSubscriber,
}

/// A broker, and the connections that somebody has to move for it.
pub(crate) fn broker(mailboxes: Vec<Arc<Mailbox>>, config: RedisConfig) -> (RedisBroker, SimulatedConnections) {
    let broker = RedisBroker::new(mailboxes, RedisConfig { lanes: 1, ..config }).expect("a good address");
    let Background { drivers, listener, .. } = lock(&broker.background).take().expect("nobody runs it");
    let mut pipes = drivers.into_iter().map(|driver| Pipe::new(driver, ONLY));
    let (Some(writer), Some(reader)) = (pipes.next(), pipes.next()) else { unreachable!("one lane of each") };
    let subscriber = SimulatedSubscriber::new(&listener.0);
    (broker, SimulatedConnections { writer, reader, subscriber })
}

/// One step of a connection for commands. Each answers whether there was anything to do.
impl SimulatedConnections {
    pub(crate) fn connect(&mut self, duty: Purpose, server: &mut Server) -> bool {
        self.pipe(duty).connect(server)
    }

    pub(crate) fn send(&mut self, duty: Purpose) -> bool {
        self.pipe(duty).send()
    }

    pub(crate) fn execute(&mut self, duty: Purpose, server: &mut Server) -> bool {
        self.pipe(duty).execute(server)
    }

    pub(crate) fn answer(&mut self, duty: Purpose, server: &mut Server) -> bool {
        self.pipe(duty).answer(server)
    }

    pub(crate) fn cut(&mut self, duty: Purpose, server: &mut Server) -> bool {
        self.pipe(duty).cut(server)
    }

    /// What waits for too long ends.
    pub(crate) fn expire(&mut self) {
        self.writer.take_in();
        self.reader.take_in();
    }

    fn pipe(&mut self, duty: Purpose) -> &mut Pipe {
        match duty {
            Purpose::Write => &mut self.writer,
            Purpose::Read => &mut self.reader,
        }
    }
}
