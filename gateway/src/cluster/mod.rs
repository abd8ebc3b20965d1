//! The nodes, and messages to all connections wherever they are. One node for now: its workers are asked through their mailboxes.

use crate::{
    broker::{
        Mailbox, Post,
        mailbox::{ConnectionSummary, Survey},
    },
    model::{ChannelName, CommandTarget, ErrorCode, Refusal, ServerCommand, ServiceName},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// Time that every worker has for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// One node as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// Its name.
    pub name: Arc<str>,
    /// Milliseconds since 1970 when it started.
    pub since_ms: u64,
    /// Worker threads.
    pub workers: usize,
}

/// The nodes that serve together.
pub struct Cluster {
    node: Arc<str>,
    link_base: String,
    workers: Vec<Arc<Mailbox>>,
    since_ms: u64,
}

impl Cluster {
    /// A cluster of this node alone. `link_base` is where services reach it, as `ws://host:port`.
    pub fn single(node: Arc<str>, link_base: impl Into<String>, workers: Vec<Arc<Mailbox>>) -> Self {
        let since_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        Self { node, link_base: link_base.into(), workers, since_ms }
    }

    /// All nodes.
    pub fn nodes(&self) -> Vec<NodeSummary> {
        vec![NodeSummary { name: Arc::clone(&self.node), since_ms: self.since_ms, workers: self.workers.len() }]
    }

    /// Where an instance of the service opens its links: one address per node.
    pub fn link_addresses(&self, service: &ServiceName) -> Vec<String> {
        vec![format!("{}/v1/services/{service}/link", self.link_base)]
    }

    /// Carries out a command on every connection concerned; answers how many there were.
    pub async fn command(&self, target: CommandTarget, command: ServerCommand) -> Result<usize, Refusal> {
        let counts = self.ask(|answer| Post::Command(target.clone(), command.clone(), answer)).await?;
        Ok(counts.into_iter().sum())
    }

    /// The connections concerned.
    pub async fn connections(&self, target: CommandTarget) -> Result<Vec<ConnectionSummary>, Refusal> {
        let found = self.ask(|answer| Post::Survey(Survey::Connections(target.clone(), answer))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Subscribers of a channel.
    pub async fn subscribers(&self, channel: &ChannelName) -> Result<usize, Refusal> {
        let counts = self.ask(|answer| Post::Survey(Survey::Subscribers(channel.clone(), answer))).await?;
        Ok(counts.into_iter().sum())
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
