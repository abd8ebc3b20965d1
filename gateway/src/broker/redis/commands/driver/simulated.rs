//! A lane whose connection is a simulated one: each step of an exchange is taken by hand. The queue is the real one.

use super::{super::super::simulated::Server, Driver};
use crate::broker::redis::{
    commands::{
        job::Job,
        queue::{After, Queue},
    },
    servers::{connect::connector::Connector, topology::Master},
};
use redis::Value;
use std::sync::Arc;
use tokio::time::Instant;

/// See the module.
pub(crate) struct Pipe {
    driver: Driver,
    connector: Arc<Connector>,
    queue: Queue,
    line: LaneConnection,
    /// The newest connection's number, and the identity of the data that it found.
    seat: Option<(u64, Arc<str>)>,
}

/// The connection.
enum LaneConnection {
    Down,
    Idle,
    /// These were sent; the first ones were answered.
    Busy(Vec<Job>, Vec<Value>),
}

impl Pipe {
    /// To the only master.
    pub(crate) fn new(driver: Driver, master: Master) -> Self {
        let connector = driver.masters.connector(master).expect("the only one");
        Self { driver, connector, queue: Queue::default(), line: LaneConnection::Down, seat: None }
    }

    /// A connection is made; as with every connection, the server is told the scripts, and to end the last one.
    pub(crate) fn connect(&mut self, server: &mut Server) -> bool {
        let down = matches!(self.line, LaneConnection::Down);
        if down {
            server.load_scripts();
            self.seat = Some(server.take_seat(self.seat.take().map(|(number, _)| number)));
            self.line = LaneConnection::Idle;
        }
        down
    }

    /// What waits goes out together.
    pub(crate) fn send(&mut self) -> bool {
        self.take_in();
        if !matches!(self.line, LaneConnection::Idle) {
            return false;
        }
        let jobs = self.queue.take(self.driver.limits.batch, Instant::now(), |_| false);
        let any = !jobs.is_empty();
        if any {
            self.line = LaneConnection::Busy(jobs, Vec::new());
        }
        any
    }

    /// The server carries out one command, or refuses it.
    pub(crate) fn execute(&mut self, server: &mut Server) -> bool {
        let LaneConnection::Busy(jobs, answers) = &mut self.line else { return false };
        let Some(job) = jobs.get(answers.len()) else { return false };
        answers.push(server.execute(&job.cmd(self.connector.clock())));
        true
    }

    /// All answers arrive, once there are as many as commands.
    pub(crate) fn answer(&mut self, server: &mut Server) -> bool {
        let LaneConnection::Busy(jobs, answers) = &mut self.line else { return false };
        if answers.len() < jobs.len() {
            return false;
        }
        let (jobs, answers) = (std::mem::take(jobs), std::mem::take(answers));
        self.line = match self.queue.answered(jobs, answers, Instant::now()).after {
            After::GoOn | After::Pause => LaneConnection::Idle,
            After::LoadScripts => {
                server.load_scripts();
                LaneConnection::Idle
            }
            After::Reconnect => LaneConnection::Down,
        };
        true
    }

    /// The connection breaks. What the server has not carried out yet it may carry out later.
    pub(crate) fn cut(&mut self, server: &mut Server) -> bool {
        match std::mem::replace(&mut self.line, LaneConnection::Down) {
            LaneConnection::Down => return false,
            LaneConnection::Idle => {}
            LaneConnection::Busy(jobs, answers) => {
                let (number, data) = self.seat.as_ref().expect("it was connected");
                let rest = jobs.iter().skip(answers.len());
                rest.for_each(|job| server.left_behind(*number, job.cmd(self.connector.clock())));
                self.queue.unanswered(jobs, data);
            }
        }
        true
    }

    /// What comes goes into the queue; who has waited too long is told.
    pub(crate) fn take_in(&mut self) {
        while self.queue.len() < self.driver.limits.queue
            && let Ok(job) = self.driver.jobs.try_recv()
        {
            self.queue.push(job);
        }
        self.queue.expire(Instant::now(), "Redis is simulated to be away");
    }
}
