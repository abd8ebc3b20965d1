//! Connections for commands, one to each master, their queue, and the task that keeps them going.
//!
//! What waits for a master goes out together, one round after the other. So the order in which commands come is that in which Redis carries them out, also
//! when a connection breaks: what was not answered is sent again, ahead of everything newer, by ids that make a repeat harmless. Where a slot moves
//! from one master to another, a command waits until the last one of its order was answered there.

mod branch;
mod driver;
mod job;
mod queue;

use super::{health::Health, masters::Masters};
use crate::broker::BrokerError;
pub(super) use driver::Driver;
#[cfg(test)]
pub(super) use driver::Pipe;
use job::Job;
pub(super) use job::{Again, Command, To};
use redis::Value;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

/// Bounds of a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneLimits {
    /// Commands that wait at most; who comes then waits for room until the deadline. Of several masters those that cannot be used have half of it at
    /// most, together, so that others go on; further commands for them fail.
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
}

/// Jobs on their way into the queue.
const HANDOVER: usize = 64;

/// The lane with this index. Its far end is a task for the runtime that outlives all callers.
pub(super) fn lane(limits: LaneLimits, masters: Arc<Masters>, health: Arc<Health>, index: usize) -> (Lane, Driver) {
    let (give, jobs) = mpsc::channel(HANDOVER);
    (Lane { jobs: give, deadline: limits.deadline, health: health.clone() }, Driver::new(jobs, limits, masters, health, index))
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
        match timeout_at(deadline, self.jobs.send(Job::new(command, deadline, answer))).await {
            Ok(Ok(())) => Ok(Answer(answered)),
            Ok(Err(_)) => Err(BrokerError::Unavailable("the gateway is stopping".into())),
            Err(_) => Err(BrokerError::Unavailable(self.health.why_any())),
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
