//! A lane's connection to one master, and the commands that wait for it.

use super::{
    job::Job,
    limits::Replicas,
    queue::{Answers, PAUSE, Queue},
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

/// A lane's connection to one master.
pub(crate) struct MasterLane {
    pub(crate) master: Master,
    pub(crate) part: HealthPart,
    pub(crate) connector: Arc<Connector>,
    pub(crate) queue: Queue,
    /// Commands that another master redirected to this one, because their slot is moving here.
    pub(crate) redirected_queue: Queue,
    pub(crate) connection: LaneConnection,
    /// Whether the master executes commands: the connection works, and no answer to the last batch said that the master cannot execute
    /// commands now.
    pub(crate) is_working: bool,
    /// Orders of the commands in flight.
    pub(crate) in_flight: Vec<u64>,
    /// Whether commands of these orders may wait for another master now, for example because the slot map changed.
    pub(crate) orders_may_wait_elsewhere: bool,
    pub(crate) pauses: ExponentialBackoff,
    /// Whether the last batch had to wait for replicas and got too few.
    pub(crate) lacks_replicas: bool,
    /// The newest connection's server and client id. With these the next connection makes the server close that one first.
    pub(crate) guard: Option<PredecessorGuard>,
}

/// The state of the connection.
pub(crate) enum LaneConnection {
    /// A step uses the connection or makes a new one.
    Busy,
    /// Idle since this time.
    Idle(MultiplexedConnection, Instant),
}

/// A step of a connection: it ends with the connection's next state.
pub(crate) type Step = Pin<Box<dyn Future<Output = (Master, Done)> + Send>>;

/// The result of a step.
pub(crate) enum Done {
    Connected(Result<(MultiplexedConnection, PredecessorGuard), ConnectError>),
    Exchanged(MultiplexedConnection, Batch, RedisResult<Answers>),
    Paused(MultiplexedConnection),
}

/// Commands that are sent together.
pub(crate) enum Batch {
    /// Commands for the master of their slots.
    Direct(Vec<Job>),
    /// Redirected commands, for the master to which a slot is moving. The lane sends `ASKING` before each.
    Redirected(Vec<Job>),
}

impl Batch {
    fn jobs(&self) -> &[Job] {
        match self {
            Self::Direct(jobs) | Self::Redirected(jobs) => jobs,
        }
    }

    pub(crate) fn into_jobs(self) -> Vec<Job> {
        match self {
            Self::Direct(jobs) | Self::Redirected(jobs) => jobs,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs().is_empty()
    }

    pub(crate) fn is_redirected(&self) -> bool {
        matches!(self, Self::Redirected(_))
    }
}

impl MasterLane {
    pub(crate) fn new(master: Master, lane: usize, connector: Arc<Connector>) -> Self {
        Self {
            master,
            part: HealthPart::Lane(master, lane),
            connector,
            queue: Queue::default(),
            redirected_queue: Queue::default(),
            connection: LaneConnection::Busy,
            is_working: false,
            in_flight: Vec::new(),
            orders_may_wait_elsewhere: false,
            pauses: pauses(),
            lacks_replicas: false,
            guard: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len() + self.redirected_queue.len()
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.connection, LaneConnection::Idle(..))
    }

    /// Whether commands may have to wait here for a long time.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.is_working || self.queue.is_paused()
    }

    /// Takes the idle connection for a step.
    pub(crate) fn begin(&mut self) -> Option<MultiplexedConnection> {
        match std::mem::replace(&mut self.connection, LaneConnection::Busy) {
            LaneConnection::Idle(connection, _) => Some(connection),
            LaneConnection::Busy => None,
        }
    }

    /// Records that no command is in flight any more. Returns whether commands of the orders that were in flight may wait for another
    /// master.
    pub(crate) fn finish_batch(&mut self) -> bool {
        self.in_flight.clear();
        std::mem::take(&mut self.orders_may_wait_elsewhere)
    }

    /// Records whether enough replicas have the last batch. Logs when that changes to the worse.
    pub(crate) fn report_replicas(&mut self, are_replicated: bool) {
        if !std::mem::replace(&mut self.lacks_replicas, !are_replicated) && !are_replicated {
            tracing::warn!(
                address = self.connector.address(),
                "fewer replicas than queues.replicas confirm what Redis stores, so queues accept and deliver no event: start replicas, or lower queues.replicas"
            );
        }
    }

    /// Records that a new connection is ready.
    pub(crate) fn connected(&mut self, connection: MultiplexedConnection, guard: PredecessorGuard) {
        if !guard.predecessor_ended {
            self.queue.make_uncertainty_permanent();
            self.redirected_queue.make_uncertainty_permanent();
        }
        (self.guard, self.pauses, self.is_working) = (Some(guard), pauses(), true);
        self.connection = LaneConnection::Idle(connection, Instant::now());
    }

    /// Records that the connection broke with these commands in flight, and queues them again.
    pub(crate) fn broke(&mut self, sent: Vec<Job>) {
        self.finish_batch();
        self.is_working = false;
        let data = self.guard.as_ref().map(|guard| guard.data.clone()).unwrap_or_default();
        self.queue.requeue_unanswered(sent, &data);
    }

    /// Gives redirected commands back to the master of their slot. Returns whether there were any.
    pub(crate) fn return_redirected(&mut self) -> bool {
        let any = !self.redirected_queue.is_empty();
        for mut job in self.redirected_queue.drain() {
            job.redirect = None;
            self.queue.push(job);
        }
        any
    }

    /// The time of the next heartbeat, if the connection stays idle until then.
    pub(crate) fn next_heartbeat(&self) -> Option<Instant> {
        match self.connection {
            LaneConnection::Idle(_, since) => Some(since + self.connector.heartbeat()),
            LaneConnection::Busy => None,
        }
    }

    pub(crate) fn connect(&self) -> Step {
        let (connector, master, last) = (self.connector.clone(), self.master, self.guard.clone());
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

    /// Sends a batch. With `replicas`, the master waits for them behind its last command: their confirmation covers all commands of the
    /// connection before it.
    pub(crate) fn exchange(&mut self, mut connection: MultiplexedConnection, batch: Batch, replicas: Option<Replicas>) -> Step {
        let (jobs, is_redirected) = (batch.jobs(), batch.is_redirected());
        self.in_flight.extend(jobs.iter().filter_map(|job| job.command.order));
        self.orders_may_wait_elsewhere = is_redirected;
        let mut pipeline = redis::pipe();
        for job in jobs {
            if is_redirected {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(job.cmd(self.connector.clock()));
        }
        if let Some(Replicas { count, timeout }) = replicas {
            pipeline.cmd("WAIT").arg(count).arg(timeout.as_millis() as u64);
        }
        let master = self.master;
        Box::pin(async move {
            let answers = connection.req_packed_commands(&pipeline, 0, pipeline.len()).await.map(|mut each| {
                let are_replicated = replicas.is_none_or(|replicas| confirms(each.pop(), replicas));
                if is_redirected {
                    each = each.into_iter().skip(1).step_by(2).collect();
                }
                Answers { each, are_replicated }
            });
            (master, Done::Exchanged(connection, batch, answers))
        })
    }

    /// Sends a `PING` over the idle connection, so that a broken connection is found before the next command needs it.
    pub(crate) fn heartbeat(&self, mut connection: MultiplexedConnection) -> Step {
        let master = self.master;
        Box::pin(async move {
            let answer = connection.req_packed_command(&redis::cmd("PING")).await.map(|_| Vec::new().into());
            (master, Done::Exchanged(connection, Batch::Direct(Vec::new()), answer))
        })
    }

    // NL-2.11
    /// Loads the scripts into the server.
    pub(crate) fn load(&self, mut connection: MultiplexedConnection) -> Step {
        let master = self.master;
        Box::pin(async move {
            let scripts = SCRIPTS.load();
            let answers = connection.req_packed_commands(scripts, 0, scripts.len()).await.map(|_| Vec::new().into());
            (master, Done::Exchanged(connection, Batch::Direct(Vec::new()), answers))
        })
    }
}

/// Whether this answer to `WAIT` says that enough replicas have everything.
fn confirms(answer: Option<Value>, replicas: Replicas) -> bool {
    matches!(answer, Some(Value::Int(count)) if count >= i64::from(replicas.count))
}
