//! The connections of a node to the simulated server.

use super::{
    server::Server,
    subscriber::{ONLY, SimulatedSubscriber},
};
use crate::broker::{
    Mailbox,
    redis::{RedisBroker, RedisConfig, commands::driver::SimulatedLane, redis_broker::Background},
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
    writer: SimulatedLane,
    reader: SimulatedLane,
    pub(crate) subscriber: SimulatedSubscriber,
}

/// Makes a broker, and its connections to the simulated server. The caller starts each step of a connection.
pub(crate) fn broker(mailboxes: Vec<Arc<Mailbox>>, config: RedisConfig) -> (RedisBroker, SimulatedConnections) {
    let broker = RedisBroker::new(mailboxes, RedisConfig { lanes: 1, ..config }).expect("a good address");
    let Background { drivers, listener, .. } = lock(&broker.background).take().expect("nobody runs it");
    let mut lanes = drivers.into_iter().map(|driver| SimulatedLane::new(driver, ONLY));
    let (Some(writer), Some(reader)) = (lanes.next(), lanes.next()) else { unreachable!("one lane of each") };
    let subscriber = SimulatedSubscriber::new(&listener.0);
    (broker, SimulatedConnections { writer, reader, subscriber })
}

/// The steps of a connection for commands. Each step returns whether there was anything to do.
impl SimulatedConnections {
    pub(crate) fn connect(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.lane(purpose).connect(server)
    }

    pub(crate) fn send(&mut self, purpose: Purpose) -> bool {
        self.lane(purpose).send()
    }

    pub(crate) fn execute(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.lane(purpose).execute(server)
    }

    pub(crate) fn answer(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.lane(purpose).answer(server)
    }

    pub(crate) fn cut(&mut self, purpose: Purpose, server: &mut Server) -> bool {
        self.lane(purpose).cut(server)
    }

    /// Fails commands whose deadline has passed.
    pub(crate) fn expire(&mut self) {
        self.writer.take_in();
        self.reader.take_in();
    }

    fn lane(&mut self, purpose: Purpose) -> &mut SimulatedLane {
        match purpose {
            Purpose::Write => &mut self.writer,
            Purpose::Read => &mut self.reader,
        }
    }
}
