//! A connection for commands, its queue, and the task that keeps both going.
//!
//! What waits goes out together, one round after the other. So the order in which commands come is that in which Redis carries them out, also when a
//! connection breaks: what was not answered is sent again, ahead of everything newer, by ids that make a repeat harmless.

mod queue;

use super::{
    clock::Clock,
    connect::{Connector, Server, Trouble, pauses},
    health::{Health, Part},
    scripts::SCRIPTS,
};
use crate::broker::BrokerError;
use backon::ExponentialBackoff;
use futures_util::future::OptionFuture;
use queue::{After, Job, Queue};
pub(super) use queue::{Again, Command};
use redis::{
    Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Bounds of a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneLimits {
    /// Commands that wait at most; who comes then waits for room until the deadline.
    pub(super) queue: usize,
    /// Commands that are sent together at most.
    pub(super) batch: usize,
    /// For a command, from when it came to its answer.
    pub(super) deadline: Duration,
}

/// The near end of a lane.
#[derive(Debug)]
pub(super) struct Lane {
    jobs: mpsc::Sender<Job>,
    deadline: Duration,
    health: Arc<Health>,
    part: Part,
}

/// The far end: a task for the runtime that outlives all callers.
pub(super) struct Driver {
    jobs: mpsc::Receiver<Job>,
    limits: LaneLimits,
    connector: Arc<Connector>,
    clock: Arc<Clock>,
    health: Arc<Health>,
    part: Part,
    pauses: ExponentialBackoff,
    /// Who answers the connection.
    server: Server,
}

/// Jobs on their way into the queue.
const HANDOVER: usize = 64;

/// A lane that belongs to `part`.
pub(super) fn lane(limits: LaneLimits, connector: Arc<Connector>, clock: Arc<Clock>, health: Arc<Health>, part: Part) -> (Lane, Driver) {
    let (give, jobs) = mpsc::channel(HANDOVER);
    let lane = Lane { jobs: give, deadline: limits.deadline, health: health.clone(), part };
    (lane, Driver { jobs, limits, connector, clock, health, part, pauses: pauses(), server: Server::default() })
}

impl Lane {
    /// Carries a command out.
    pub(super) async fn run(&self, command: Command) -> Result<Value, BrokerError> {
        self.hand_over(command).await?.await
    }

    /// Waits for room. The command then has its place behind all that were handed over before.
    pub(super) async fn hand_over(&self, command: Command) -> Result<Answer, BrokerError> {
        let deadline = Instant::now() + self.deadline;
        let (answer, answered) = oneshot::channel();
        let job = Job { command, deadline, answer, uncertain: false };
        match timeout_at(deadline, self.jobs.send(job)).await {
            Ok(Ok(())) => Ok(Answer(answered)),
            Ok(Err(_)) => Err(BrokerError::Unavailable("the gateway is stopping".into())),
            Err(_) => Err(BrokerError::Unavailable(self.health.why(self.part))),
        }
    }
}

/// Of a command that was handed over. Who drops it gives up the command, unless it was sent.
#[derive(Debug)]
pub(super) struct Answer(oneshot::Receiver<Result<Value, BrokerError>>);

impl Future for Answer {
    type Output = Result<Value, BrokerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answered| answered.unwrap_or(Err(BrokerError::OutcomeUnknown)))
    }
}

/// What the connection is busy with.
type Step = Pin<Box<dyn Future<Output = Done> + Send>>;

enum Done {
    Connected(Result<(MultiplexedConnection, Server), Trouble>),
    Exchanged(MultiplexedConnection, Vec<Job>, redis::RedisResult<Vec<Value>>),
    Paused(MultiplexedConnection),
}

/// Between attempts of commands that the server refuses for now.
const PAUSE: Duration = Duration::from_millis(50);

impl Driver {
    /// Runs the lane until cancelled. What still waits then fails.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (mut queue, mut arrived) = (Queue::default(), Vec::new());
        let mut idle = None;
        let mut busy = Some(self.connect());
        loop {
            if idle.take_if(|_| !self.connector.is_newest(&self.server)).is_some() {
                tracing::warn!(part = ?self.part, "the address leads to another Redis by now");
                busy = Some(self.connect_later());
            }
            if let Some(connection) = idle.take_if(|_| !queue.is_empty()) {
                while queue.len() < self.limits.batch
                    && let Ok(job) = self.jobs.try_recv()
                {
                    queue.push(job);
                }
                busy = Some(self.exchange(connection, queue.take(self.limits.batch)));
            }
            let (deadline, room) = (queue.deadline(), self.limits.queue.saturating_sub(queue.len()));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = OptionFuture::from(busy.as_mut()) => {
                    busy = None;
                    match self.settle(done, &mut queue) {
                        Next::Idle(connection) => idle = Some(connection),
                        Next::Busy(next) => busy = Some(next),
                    }
                }
                count = self.jobs.recv_many(&mut arrived, room), if room > 0 => match count {
                    0 => break,
                    _ => arrived.drain(..).for_each(|job| queue.push(job)),
                },
                Some(()) = OptionFuture::from(deadline.map(sleep_until)) => queue.expire(Instant::now(), &self.health.why(self.part)),
                () = sleep(self.connector.heartbeat()), if idle.is_some() => busy = idle.take().map(heartbeat),
            }
        }
        self.jobs.close();
        while let Some(job) = self.jobs.recv().await {
            queue.push(job);
        }
        queue.close("the gateway is stopping");
    }

    fn settle(&mut self, done: Done, queue: &mut Queue) -> Next {
        match done {
            Done::Connected(Ok((connection, server))) => {
                self.health.well(self.part);
                self.server = server;
                self.pauses = pauses();
                Next::Idle(connection)
            }
            Done::Connected(Err(trouble)) => {
                if self.health.trouble(self.part, &trouble.to_string()) {
                    tracing::warn!(part = ?self.part, "{trouble}");
                }
                Next::Busy(self.connect_later())
            }
            Done::Paused(connection) => Next::Idle(connection),
            Done::Exchanged(connection, sent, Ok(answers)) => match queue.answered(sent, answers) {
                After::GoOn => Next::Idle(connection),
                After::LoadScripts => Next::Busy(Box::pin(load(connection))),
                After::Pause => Next::Busy(Box::pin(async move {
                    sleep(PAUSE).await;
                    Done::Paused(connection)
                })),
                After::Reconnect => Next::Busy(self.connect_later()),
            },
            Done::Exchanged(_, sent, Err(error)) => {
                self.health.trouble(self.part, &format!("the connection to Redis broke: {error}"));
                tracing::warn!(part = ?self.part, %error, unanswered = sent.len(), "the connection to Redis broke");
                queue.unanswered(sent);
                Next::Busy(self.connect())
            }
        }
    }

    fn connect(&self) -> Step {
        let (connector, clock) = (self.connector.clone(), self.clock.clone());
        Box::pin(async move { Done::Connected(connector.command(&clock).await) })
    }

    fn connect_later(&mut self) -> Step {
        let (connect, pause) = (self.connect(), self.pauses.next().unwrap_or_default());
        Box::pin(async move {
            sleep(pause).await;
            connect.await
        })
    }

    fn exchange(&self, mut connection: MultiplexedConnection, jobs: Vec<Job>) -> Step {
        let mut pipeline = redis::pipe();
        for job in &jobs {
            let mut cmd = job.command.cmd.clone();
            if job.command.again == Again::UntilDeadline {
                cmd.arg(self.clock.at(job.deadline));
            }
            pipeline.add_command(cmd);
        }
        Box::pin(async move {
            let answers = if jobs.is_empty() { Ok(Vec::new()) } else { connection.req_packed_commands(&pipeline, 0, jobs.len()).await };
            Done::Exchanged(connection, jobs, answers)
        })
    }
}

enum Next {
    Idle(MultiplexedConnection),
    Busy(Step),
}

/// Asks a connection that has nothing to do whether it still works, so that the next command need not find out.
fn heartbeat(mut connection: MultiplexedConnection) -> Step {
    Box::pin(async move {
        let answer = connection.req_packed_command(&redis::cmd("PING")).await.map(|_| Vec::new());
        Done::Exchanged(connection, Vec::new(), answer)
    })
}

async fn load(mut connection: MultiplexedConnection) -> Done {
    let scripts = SCRIPTS.load();
    let answers = connection.req_packed_commands(scripts, 0, scripts.len()).await.map(|_| Vec::new());
    Done::Exchanged(connection, Vec::new(), answers)
}
