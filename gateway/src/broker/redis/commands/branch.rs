//! A lane's connection to one master, and what waits for it.

use super::{
    job::Job,
    queue::{PAUSE, Queue},
};
use crate::broker::redis::{
    schema::scripts::SCRIPTS,
    servers::{
        connect::{connect_error::ConnectError, connector::Connector, predecessor_guard::PredecessorGuard, timing::pauses},
        health::HealthPart,
        topology::Master,
    },
};
use backon::ExponentialBackoff;
use redis::{
    RedisResult, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio::time::{Instant, sleep};

/// See the module.
pub(crate) struct MasterLane {
    pub(crate) master: Master,
    pub(crate) part: HealthPart,
    pub(crate) connector: Arc<Connector>,
    pub(crate) queue: Queue,
    /// Commands that this master takes ahead of their slot, which is on the move to it.
    pub(crate) asking_queue: Queue,
    pub(crate) line: LaneConnection,
    /// Whether the last attempt to connect was good.
    pub(crate) is_up: bool,
    /// Orders of what is under way.
    pub(crate) under_way: Vec<u64>,
    /// Whether commands of these orders may wait for another master by now.
    pub(crate) is_displaced: bool,
    pub(crate) pauses: ExponentialBackoff,
    /// The newest connection's, as its server knows it.
    pub(crate) seat: Option<PredecessorGuard>,
}

/// The connection.
pub(crate) enum LaneConnection {
    /// A step is under way with it, or towards it.
    Busy,
    /// It has nothing to do since then.
    Idle(MultiplexedConnection, Instant),
}

/// What a connection is busy with.
pub(crate) type Step = Pin<Box<dyn Future<Output = (Master, Done)> + Send>>;

pub(crate) enum Done {
    Connected(Result<(MultiplexedConnection, PredecessorGuard), ConnectError>),
    Exchanged(MultiplexedConnection, Batch, RedisResult<Vec<Value>>),
    Paused(MultiplexedConnection),
}

/// Commands that are sent together.
pub(crate) enum Batch {
    /// To the master of their slots.
    Home(Vec<Job>),
    /// To the master that a slot is on the move to.
    Aside(Vec<Job>),
}

impl Batch {
    fn jobs(&self) -> &[Job] {
        match self {
            Self::Home(jobs) | Self::Aside(jobs) => jobs,
        }
    }

    pub(crate) fn into_jobs(self) -> Vec<Job> {
        match self {
            Self::Home(jobs) | Self::Aside(jobs) => jobs,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs().is_empty()
    }

    pub(crate) fn is_aside(&self) -> bool {
        matches!(self, Self::Aside(_))
    }
}

impl MasterLane {
    pub(crate) fn new(master: Master, lane: usize, connector: Arc<Connector>) -> Self {
        Self {
            master,
            part: HealthPart::Lane(master, lane),
            connector,
            queue: Queue::default(),
            asking_queue: Queue::default(),
            line: LaneConnection::Busy,
            is_up: false,
            under_way: Vec::new(),
            is_displaced: false,
            pauses: pauses(),
            seat: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len() + self.asking_queue.len()
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.line, LaneConnection::Idle(..))
    }

    /// Whether what waits here may wait for long.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.is_up || self.queue.rests()
    }

    /// The idle connection, for a step that begins.
    pub(crate) fn begin(&mut self) -> Option<MultiplexedConnection> {
        match std::mem::replace(&mut self.line, LaneConnection::Busy) {
            LaneConnection::Idle(connection, _) => Some(connection),
            LaneConnection::Busy => None,
        }
    }

    /// Nothing is under way any more. Tells whether what was may have to wait elsewhere now.
    pub(crate) fn ended(&mut self) -> bool {
        self.under_way.clear();
        std::mem::take(&mut self.is_displaced)
    }

    /// There is a connection.
    pub(crate) fn connected(&mut self, connection: MultiplexedConnection, seat: PredecessorGuard) {
        if !seat.is_alone {
            self.queue.doubt_for_good();
            self.asking_queue.doubt_for_good();
        }
        (self.seat, self.pauses, self.is_up) = (Some(seat), pauses(), true);
        self.line = LaneConnection::Idle(connection, Instant::now());
    }

    /// The connection broke while these were under way.
    pub(crate) fn broke(&mut self, sent: Vec<Job>) {
        self.ended();
        self.is_up = false;
        let data = self.seat.as_ref().map(|seat| seat.data.clone()).unwrap_or_default();
        self.queue.unanswered(sent, &data);
    }

    /// What waits here ahead of its slot is to wait at home again; false if nothing does.
    pub(crate) fn return_asking(&mut self) -> bool {
        let any = !self.asking_queue.is_empty();
        for mut job in self.asking_queue.drain() {
            job.aside = None;
            self.queue.push(job);
        }
        any
    }

    /// When it is to be asked whether it still works, if it has nothing to do until then.
    pub(crate) fn next_heartbeat(&self) -> Option<Instant> {
        match self.line {
            LaneConnection::Idle(_, since) => Some(since + self.connector.heartbeat()),
            LaneConnection::Busy => None,
        }
    }

    pub(crate) fn connect(&self) -> Step {
        let (connector, master, last) = (self.connector.clone(), self.master, self.seat.clone());
        Box::pin(async move { (master, Done::Connected(connector.command(last.as_ref()).await)) })
    }

    pub(crate) fn connect_later(&mut self) -> Step {
        let (connect, pause) = (self.connect(), self.pauses.next().unwrap_or_default());
        Box::pin(async move {
            sleep(pause).await;
            connect.await
        })
    }

    pub(crate) fn pause(&self, connection: MultiplexedConnection) -> Step {
        let master = self.master;
        Box::pin(async move {
            sleep(PAUSE).await;
            (master, Done::Paused(connection))
        })
    }

    pub(crate) fn exchange(&mut self, mut connection: MultiplexedConnection, batch: Batch) -> Step {
        let (jobs, is_aside) = (batch.jobs(), batch.is_aside());
        self.under_way.extend(jobs.iter().filter_map(|job| job.command.order));
        self.is_displaced = is_aside;
        let mut pipeline = redis::pipe();
        for job in jobs {
            if is_aside {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(job.cmd(self.connector.clock()));
        }
        let master = self.master;
        Box::pin(async move {
            let mut answers = connection.req_packed_commands(&pipeline, 0, pipeline.len()).await;
            if let Ok(answers) = &mut answers
                && is_aside
            {
                *answers = std::mem::take(answers).into_iter().skip(1).step_by(2).collect();
            }
            (master, Done::Exchanged(connection, batch, answers))
        })
    }

    /// Asks a connection that has nothing to do whether it still works, so that the next command need not find out.
    pub(crate) fn heartbeat(&self, mut connection: MultiplexedConnection) -> Step {
        let master = self.master;
        Box::pin(async move {
            let answer = connection.req_packed_command(&redis::cmd("PING")).await.map(|_| Vec::new());
            (master, Done::Exchanged(connection, Batch::Home(Vec::new()), answer))
        })
    }

    // NL-2.11
    /// Tells the server the scripts.
    pub(crate) fn load(&self, mut connection: MultiplexedConnection) -> Step {
        let master = self.master;
        Box::pin(async move {
            let scripts = SCRIPTS.load();
            let answers = connection.req_packed_commands(scripts, 0, scripts.len()).await.map(|_| Vec::new());
            (master, Done::Exchanged(connection, Batch::Home(Vec::new()), answers))
        })
    }
}
