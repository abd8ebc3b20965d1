//! The near end of a lane: who has a command hands it over here.

use super::{
    driver::Driver,
    job::{Command, Job},
    limits::LaneLimits,
};
use crate::broker::{
    BrokerError,
    redis::servers::{health::Health, masters::Masters},
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

/// The near end of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    jobs: mpsc::Sender<Job>,
    deadline: Duration,
    health: Arc<Health>,
}

/// Jobs on their way into the queue.
const HANDOVER: usize = 64;

/// The lane with this index. Its far end is a task for the runtime that outlives all callers.
pub(crate) fn lane(limits: LaneLimits, masters: Arc<Masters>, health: Arc<Health>, index: usize) -> (Lane, Driver) {
    let (give, jobs) = mpsc::channel(HANDOVER);
    (Lane { jobs: give, deadline: limits.deadline, health: health.clone() }, Driver::new(jobs, limits, masters, health, index))
}

impl Lane {
    /// Carries a command out.
    pub(crate) async fn run(&self, command: Command) -> Result<Value, BrokerError> {
        self.hand_over(command).await?.await
    }

    /// Waits for room. The command then has its place behind all that were handed over before.
    pub(crate) async fn hand_over(&self, command: Command) -> Result<Answer, BrokerError> {
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
pub(crate) struct Answer(oneshot::Receiver<Result<Value, BrokerError>>);

impl Future for Answer {
    type Output = Result<Value, BrokerError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answered| answered.unwrap_or(Err(BrokerError::OutcomeUnknown)))
    }
}
