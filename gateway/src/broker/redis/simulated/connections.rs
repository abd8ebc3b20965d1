//! The connections of a node to the simulated server.

use super::{
    server::Server,
    subscriber::{ONLY, SimulatedSubscriber},
};
use crate::broker::{
    Mailbox,
    redis::{RedisBroker, RedisConfig, commands::driver::Pipe, redis_broker::Background},
};
use gateway_core::model::lock;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The purpose of a connection for commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    #[default]
    Write,
    Read,
}

/// The connections of a node to the simulated server.
pub(crate) struct SimulatedConnections {
    writer: Pipe,
    reader: Pipe,
    pub(crate) subscriber: SimulatedSubscriber,
}

/// A broker, and its connections. The caller takes each step of a connection.
pub(crate) fn broker(mailboxes: Vec<Arc<Mailbox>>, config: RedisConfig) -> (RedisBroker, SimulatedConnections) {
    let broker = RedisBroker::new(mailboxes, RedisConfig { lanes: 1, ..config }).expect("a good address");
    let Background { drivers, listener, .. } = lock(&broker.background).take().expect("nobody runs it");
    let mut pipes = drivers.into_iter().map(|driver| Pipe::new(driver, ONLY));
    let (Some(writer), Some(reader)) = (pipes.next(), pipes.next()) else { unreachable!("one lane of each") };
    let subscriber = SimulatedSubscriber::new(&listener.0);
    (broker, SimulatedConnections { writer, reader, subscriber })
}

/// The steps of a connection for commands. Each returns whether there was anything to do.
impl SimulatedConnections {
    pub(crate) fn connect(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.pipe(purpose).connect(server)
    }

    pub(crate) fn send(&mut self, purpose: Purpose) -> bool {
        self.pipe(purpose).send()
    }

    pub(crate) fn execute(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.pipe(purpose).execute(server)
    }

    pub(crate) fn answer(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.pipe(purpose).answer(server)
    }

    pub(crate) fn cut(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.pipe(purpose).cut(server)
    }

    /// Fails commands whose deadline has passed.
    pub(crate) fn expire(&mut self) {
        self.writer.take_in();
        self.reader.take_in();
    }

    fn pipe(&mut self, purpose: Purpose) -> &mut Pipe {
        match purpose {
            Purpose::Write => &mut self.writer,
            Purpose::Read => &mut self.reader,
        }
    }
}
