//! The workers of this node, asked through their mailboxes.

use crate::broker::{
    Mailbox, Post,
    mailbox::{ConnectionSummary, Survey},
};
use gateway_core::model::{ChannelName, CommandTarget, ErrorCode, Refusal, ServerCommand};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout_at},
};

/// Time that every worker has for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before a worker without room is told again.
const ROOM: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Local {
    node: Arc<str>,
    workers: Vec<Arc<Mailbox>>,
}

impl Local {
    pub(super) fn new(node: Arc<str>, workers: Vec<Arc<Mailbox>>) -> Self {
        Self { node, workers }
    }

    /// Carries out a command on every connection concerned; answers how many there were.
    pub(super) async fn command(&self, target: CommandTarget, command: ServerCommand) -> Result<usize, Refusal> {
        let counts = self.ask(|answer| Post::Command(target.clone(), command.clone(), answer)).await?;
        Ok(counts.into_iter().sum())
    }

    /// The connections concerned.
    pub(super) async fn connections(&self, target: CommandTarget) -> Result<Vec<ConnectionSummary>, Refusal> {
        let found = self.ask(|answer| Post::Survey(Survey::Connections(target.clone(), answer))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Subscribers of a channel.
    pub(super) async fn subscribers(&self, channel: &ChannelName) -> Result<usize, Refusal> {
        let counts = self.ask(|answer| Post::Survey(Survey::Subscribers(channel.clone(), answer))).await?;
        Ok(counts.into_iter().sum())
    }

    /// Tells every worker, for sure.
    pub(super) async fn tell_all(&self, post: fn() -> Post) {
        for worker in &self.workers {
            while !worker.post(post()) {
                sleep(ROOM).await;
            }
        }
    }

    /// Tells them each time it is called for. For good.
    pub(super) async fn tell_whenever(&self, called: &Notify, post: fn() -> Post) {
        loop {
            called.notified().await;
            self.tell_all(post).await;
        }
    }

    /// Asks every worker, and awaits all answers.
    async fn ask<T>(&self, question: impl Fn(mpsc::Sender<T>) -> Post) -> Result<Vec<T>, Refusal> {
        let deadline = Instant::now() + PATIENCE;
        let mut asked = Vec::with_capacity(self.workers.len());
        for (index, worker) in self.workers.iter().enumerate() {
            let (give, take) = mpsc::channel(1);
            if !worker.post(question(give)) {
                return Err(self.silent(index, "has no room for more requests"));
            }
            asked.push(take);
        }
        let mut answers = Vec::with_capacity(asked.len());
        for (index, mut take) in asked.into_iter().enumerate() {
            match timeout_at(deadline, take.recv()).await {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) => return Err(self.silent(index, "dropped the request")),
                Err(_) => return Err(self.silent(index, "did not answer in time")),
            }
        }
        Ok(answers)
    }

    fn silent(&self, worker: usize, what: &str) -> Refusal {
        let detail = format!("Worker {worker} of node {} {what}; others may have carried the request out. Try again.", self.node);
        Refusal::new(ErrorCode::ServiceUnavailable, detail)
    }
}
