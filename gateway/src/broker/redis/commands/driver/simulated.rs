//! A lane with a simulated connection. The simulation takes each step of an exchange; the queue is the real one.

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

/// A lane with a simulated connection.
pub(crate) struct Pipe {
    driver: Driver,
    connector: Arc<Connector>,
    queue: Queue,
    state: PipeState,
    /// The newest connection's client id, and the identity of the server's data at that time.
    newest: Option<(u64, Arc<str>)>,
}

enum PipeState {
    Down,
    Idle,
    /// Commands in flight, and the answers to the first of them.
    Busy(Vec<Job>, Vec<Value>),
}

impl Pipe {
    /// A lane to the only master.
    pub(crate) fn new(driver: Driver, master: Master) -> Self {
        let connector = driver.masters.connector(master).expect("the only one");
        Self { driver, connector, queue: Queue::default(), state: PipeState::Down, newest: None }
    }

    /// Connects. As every connection does, it loads the scripts and ends its predecessor.
    pub(crate) fn connect(&mut self, server: &mut Server) -> bool {
        let is_down = matches!(self.state, PipeState::Down);
        if is_down {
            server.load_scripts();
            self.newest = Some(server.replace_client(self.newest.take().map(|(client_id, _)| client_id)));
            self.state = PipeState::Idle;
        }
        is_down
    }

    /// Sends a batch of the waiting commands.
    pub(crate) fn send(&mut self) -> bool {
        self.take_in();
        if !matches!(self.state, PipeState::Idle) {
            return false;
        }
        let jobs = self.queue.take(self.driver.limits.batch, Instant::now(), |_| false);
        let any = !jobs.is_empty();
        if any {
            self.state = PipeState::Busy(jobs, Vec::new());
        }
        any
    }

    /// The server executes or refuses one command.
    pub(crate) fn execute(&mut self, server: &mut Server) -> bool {
        let PipeState::Busy(jobs, answers) = &mut self.state else { return false };
        let Some(job) = jobs.get(answers.len()) else { return false };
        answers.push(server.execute(&job.cmd(self.connector.clock())));
        true
    }

    /// All answers arrive, if the server has answered every command.
    pub(crate) fn answer(&mut self, server: &mut Server) -> bool {
        let PipeState::Busy(jobs, answers) = &mut self.state else { return false };
        if answers.len() < jobs.len() {
            return false;
        }
        let (jobs, answers) = (std::mem::take(jobs), std::mem::take(answers));
        self.state = match self.queue.take_answers(jobs, answers, Instant::now()).after {
            After::GoOn | After::Pause => PipeState::Idle,
            After::LoadScripts => {
                server.load_scripts();
                PipeState::Idle
            }
            After::Reconnect => PipeState::Down,
        };
        true
    }

    /// The connection breaks. The server may still execute the commands without an answer later.
    pub(crate) fn cut(&mut self, server: &mut Server) -> bool {
        match std::mem::replace(&mut self.state, PipeState::Down) {
            PipeState::Down => return false,
            PipeState::Idle => {}
            PipeState::Busy(jobs, answers) => {
                let (client_id, data) = self.newest.as_ref().expect("it was connected");
                let rest = jobs.iter().skip(answers.len());
                rest.for_each(|job| server.left_behind(*client_id, job.cmd(self.connector.clock())));
                self.queue.requeue_unanswered(jobs, data);
            }
        }
        true
    }

    /// Moves new commands into the queue and fails those whose deadline has passed.
    pub(crate) fn take_in(&mut self) {
        while self.queue.len() < self.driver.limits.queue
            && let Ok(job) = self.driver.jobs.try_recv()
        {
            self.queue.push(job);
        }
        self.queue.expire(Instant::now(), "the simulated Redis is down");
    }
}
