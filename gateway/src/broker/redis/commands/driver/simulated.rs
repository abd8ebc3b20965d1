//! A lane with a simulated connection. The simulation starts each step of an exchange. The queue is the real one.

use super::{super::super::simulated::Server, Driver};
use crate::broker::redis::{
    commands::{
        job::Job,
        queue::{ConnectionAction, Queue},
    },
    servers::{connect::connector::Connector, topology::Master},
};
use redis::Value;
use std::sync::Arc;
use tokio::time::Instant;

/// A lane with a simulated connection.
pub(crate) struct SimulatedLane {
    driver: Driver,
    connector: Arc<Connector>,
    queue: Queue,
    state: LaneState,
    /// The client id of the newest connection, and the identity of the server's data when it connected.
    newest: Option<(u64, Arc<str>)>,
}

enum LaneState {
    Down,
    Idle,
    /// Commands in flight, and the answers that the server has given so far, in the same order.
    Busy(Vec<Job>, Vec<Value>),
}

impl SimulatedLane {
    /// A lane to the only master.
    pub(crate) fn new(driver: Driver, master: Master) -> Self {
        let connector = driver.masters.connector(master).expect("the only one");
        Self { driver, connector, queue: Queue::default(), state: LaneState::Down, newest: None }
    }

    /// Connects. Like the real connection, it loads the scripts and makes the server end its predecessor.
    pub(crate) fn connect(&mut self, server: &mut Server) -> bool {
        let is_down = matches!(self.state, LaneState::Down);
        if is_down {
            server.load_scripts();
            self.newest = Some(server.replace_client(self.newest.take().map(|(client_id, _)| client_id)));
            self.state = LaneState::Idle;
        }
        is_down
    }

    /// Sends a batch of the commands that wait.
    pub(crate) fn send(&mut self) -> bool {
        self.take_in();
        if !matches!(self.state, LaneState::Idle) {
            return false;
        }
        let jobs = self.queue.take(self.driver.limits.batch_commands, Instant::now(), |_| false);
        let any = !jobs.is_empty();
        if any {
            self.state = LaneState::Busy(jobs, Vec::new());
        }
        any
    }

    /// The server executes or refuses one command.
    pub(crate) fn execute(&mut self, server: &mut Server) -> bool {
        let LaneState::Busy(jobs, answers) = &mut self.state else { return false };
        let Some(job) = jobs.get(answers.len()) else { return false };
        answers.push(server.execute(&job.cmd(self.connector.clock())));
        true
    }

    /// All answers arrive, provided that the server has answered every command.
    pub(crate) fn answer(&mut self, server: &mut Server) -> bool {
        let LaneState::Busy(jobs, answers) = &mut self.state else { return false };
        if answers.len() < jobs.len() {
            return false;
        }
        let (jobs, answers) = (std::mem::take(jobs), std::mem::take(answers));
        self.state = match self.queue.take_answers(jobs, answers, Instant::now()).action {
            ConnectionAction::Continue | ConnectionAction::Pause => LaneState::Idle,
            ConnectionAction::LoadScripts => {
                server.load_scripts();
                LaneState::Idle
            }
            ConnectionAction::Reconnect => LaneState::Down,
        };
        true
    }

    /// The connection breaks. The server may later execute the commands that it has not answered.
    pub(crate) fn cut(&mut self, server: &mut Server) -> bool {
        match std::mem::replace(&mut self.state, LaneState::Down) {
            LaneState::Down => return false,
            LaneState::Idle => {}
            LaneState::Busy(jobs, answers) => {
                let (client_id, data) = self.newest.as_ref().expect("it was connected");
                let rest = jobs.iter().skip(answers.len());
                rest.for_each(|job| server.left_behind(*client_id, job.cmd(self.connector.clock())));
                self.queue.requeue_unanswered(jobs, data);
            }
        }
        true
    }

    /// Moves new commands into the queue, and fails those whose deadline has passed.
    pub(crate) fn take_in(&mut self) {
        while self.queue.len() < self.driver.limits.queue_commands
            && let Ok(job) = self.driver.jobs.try_recv()
        {
            self.queue.push(job);
        }
        self.queue.expire(Instant::now(), "the simulated Redis is down");
    }
}
