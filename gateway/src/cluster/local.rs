//! The workers of this node, asked through their mailboxes.

use crate::{
    broker::{
        Mailbox, Post,
        mailbox::{ConnectionSummary, Survey},
    },
    model::{ChannelName, CommandTarget, ErrorCode, Refusal, ServerCommand},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// Time that every worker has for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

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

    /// Has every worker say again who is present.
    pub(super) fn present_again(&self) {
        for (index, worker) in self.workers.iter().enumerate() {
            if !worker.post(Post::PresentAgain) {
                tracing::error!(worker = index, "a worker has no room to be asked who is present: presence lacks its connections");
            }
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
