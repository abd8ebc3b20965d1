//! The broker with a simulated Redis, for simulations: everything is real but connections and the server, and nothing happens by itself.
//!
//! - [`server`]: the store; [`lineage`]: what ever stood in it
//! - [`ear`]: a node's connection that subscribes; [`Pipe`]: one that carries commands

mod ear;
mod lineage;
mod server;

use super::{RedisBroker, RedisConfig, commands::driver::Pipe, redis_broker::Background, servers::topology::Master};
use crate::broker::Mailbox;
pub(crate) use ear::Ear;
use gateway_core::model::lock;
pub(crate) use lineage::Lineage;
pub(crate) use server::{Flaw, Server};
use std::sync::Arc;

/// The server.
const ONLY: Master = Master(0);

/// Which connection for commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Write,
    Read,
}

/// A node's connections to the server.
pub(crate) struct Wires {
    writer: Pipe,
    reader: Pipe,
    pub(crate) ear: Ear,
}

/// A broker, and the connections that somebody has to move for it.
pub(crate) fn broker(mailboxes: Vec<Arc<Mailbox>>, config: RedisConfig) -> (RedisBroker, Wires) {
    let broker = RedisBroker::new(mailboxes, RedisConfig { lanes: 1, ..config }).expect("a good address");
    let Background { drivers, listener, .. } = lock(&broker.background).take().expect("nobody runs it");
    let mut pipes = drivers.into_iter().map(|driver| Pipe::new(driver, ONLY));
    let (Some(writer), Some(reader)) = (pipes.next(), pipes.next()) else { unreachable!("one lane of each") };
    let ear = Ear::new(&listener.0);
    (broker, Wires { writer, reader, ear })
}

/// One step of a connection for commands. Each answers whether there was anything to do.
impl Wires {
    pub(crate) fn connect(&mut self, duty: Duty, server: &mut Server) -> bool {
        self.pipe(duty).connect(server)
    }

    pub(crate) fn send(&mut self, duty: Duty) -> bool {
        self.pipe(duty).send()
    }

    pub(crate) fn execute(&mut self, duty: Duty, server: &mut Server) -> bool {
        self.pipe(duty).execute(server)
    }

    pub(crate) fn answer(&mut self, duty: Duty, server: &mut Server) -> bool {
        self.pipe(duty).answer(server)
    }

    pub(crate) fn cut(&mut self, duty: Duty, server: &mut Server) -> bool {
        self.pipe(duty).cut(server)
    }

    /// What waits for too long ends.
    pub(crate) fn expire(&mut self) {
        self.writer.take_in();
        self.reader.take_in();
    }

    fn pipe(&mut self, duty: Duty) -> &mut Pipe {
        match duty {
            Duty::Write => &mut self.writer,
            Duty::Read => &mut self.reader,
        }
    }
}
