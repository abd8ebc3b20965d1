//! The interface of a lane for callers.

use super::{
    driver::Driver,
    job::{Command, Job},
    limits::LaneLimits,
};
use crate::broker::{
    BrokerError,
    redis::{
        schema::counters::Counters,
        servers::{health::Health, masters::Masters},
    },
};
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

/// The interface of a lane for callers.
#[derive(Debug)]
pub(crate) struct Lane {
    jobs: mpsc::Sender<Job>,
    deadline: Duration,
    health: Arc<Health>,
}

/// Largest number of commands on their way from the callers to the lane's queue.
const HANDOVER: usize = 64;

/// Makes the lane with this index, and its driver. The driver must run as a task that outlives all callers.
pub(crate) fn lane(
    limits: LaneLimits,
    masters: Arc<Masters>,
    health: Arc<Health>,
    counters: Arc<Counters>,
    index: usize,
) -> (Lane, Driver) {
    let (sender, jobs) = mpsc::channel(HANDOVER);
    let lane = Lane { jobs: sender, deadline: limits.deadline, health: health.clone() };
    (lane, Driver::new(jobs, limits, masters, health, counters, index))
}

impl Lane {
    /// Longest time for a command, from its arrival to its answer.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Executes a command, and returns its answer.
    pub(crate) async fn run(&self, command: Command) -> Result<Value, BrokerError> {
        self.hand_over(command).await?.await
    }

    /// Hands a command over to the lane. If the lane is full, waits for room until the command's deadline. When this returns, the command
    /// has its place in the order.
    pub(crate) async fn hand_over(&self, command: Command) -> Result<Answer, BrokerError> {
        let deadline = Instant::now() + self.deadline;
        let (answer, answered) = oneshot::channel();
        match timeout_at(deadline, self.jobs.send(Job::new(command, deadline, answer))).await {
            Ok(Ok(())) => Ok(Answer(answered)),
            Ok(Err(_)) => Err(BrokerError::Unavailable("the gateway is stopping".into())),
            Err(_) => Err(BrokerError::Unavailable(self.health.any_problem())),
        }
    }
}

/// The future answer to a command. If it is dropped before the command was sent, the command is cancelled.
#[derive(Debug)]
pub(crate) struct Answer(oneshot::Receiver<Result<Value, BrokerError>>);

impl Future for Answer {
    type Output = Result<Value, BrokerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answered| answered.unwrap_or(Err(BrokerError::OutcomeUnknown)))
    }
}
