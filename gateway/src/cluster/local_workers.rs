//! Requests to the workers of this node, through their mailboxes.

use crate::broker::{
    Mailbox, MailboxEntry, PostOutcome, PostedCommands,
    mailbox::{ConnectionSummary, HubQuery},
};
use gateway_core::model::{ChannelName, CommandTarget, ErrorCode, Refusal, ServerCommand, SessionKey};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};

/// Time for all workers to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two attempts to post to a full mailbox.
const FULL_MAILBOX_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct LocalWorkers {
    node: Arc<str>,
    workers: Vec<Arc<Mailbox>>,
}

impl LocalWorkers {
    pub(super) fn new(node: Arc<str>, workers: Vec<Arc<Mailbox>>) -> Self {
        Self { node, workers }
    }

    /// The number of workers.
    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Carries out a command on every connection of the target. Returns their number.
    pub(super) async fn command(&self, target: CommandTarget, command: ServerCommand) -> Result<usize, Refusal> {
        let counts = self.ask(|answer| MailboxEntry::Command(target.clone(), command.clone(), answer)).await?;
        Ok(counts.into_iter().sum())
    }

    /// The connections of the target.
    pub(super) async fn connections(&self, target: CommandTarget) -> Result<Vec<ConnectionSummary>, Refusal> {
        let found = self.ask(|answer| MailboxEntry::Query(HubQuery::Connections(target.clone(), answer))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Number of a channel's subscribers.
    pub(super) async fn subscribers(&self, channel: &ChannelName) -> Result<usize, Refusal> {
        let counts = self.ask(|answer| MailboxEntry::Query(HubQuery::Subscribers(channel.clone(), answer))).await?;
        Ok(counts.into_iter().sum())
    }

    /// Hands commands to the session with this key. They are behind all that were posted before this returns its future.
    pub(super) fn post_commands(
        &self,
        key: SessionKey,
        commands: PostedCommands,
    ) -> impl Future<Output = Result<PostOutcome, Refusal>> + use<> {
        // A key with the number of another worker is a guess. Any worker can say that it does not know it.
        let worker = key.worker().index() % self.workers.len().max(1);
        let (sender, receiver) = oneshot::channel();
        let posted = self.workers.get(worker).map(|mailbox| mailbox.post(MailboxEntry::Post(key, commands, sender)));
        let node = self.node.clone();
        async move {
            let what = match posted {
                None => return Ok(PostOutcome::Gone),
                Some(false) => "has a full mailbox",
                Some(true) => match timeout(ANSWER_TIMEOUT, receiver).await {
                    Ok(Ok(outcome)) => return Ok(outcome),
                    Ok(Err(_)) => "dropped the commands",
                    Err(_) => "did not answer in time",
                },
            };
            Err(Refusal::new(ErrorCode::ServiceUnavailable, format!("Worker {worker} of node {node} {what}. Connect again.")))
        }
    }

    /// Posts to every worker; waits while a mailbox is full.
    async fn post_to_all(&self, entry: fn() -> MailboxEntry) {
        for worker in &self.workers {
            while !worker.post(entry()) {
                sleep(FULL_MAILBOX_PAUSE).await;
            }
        }
    }

    /// Posts to every worker after each notification. Never returns.
    pub(super) async fn post_on_notify(&self, notify: &Notify, entry: fn() -> MailboxEntry) {
        loop {
            notify.notified().await;
            self.post_to_all(entry).await;
        }
    }

    /// Asks every worker, and waits for all answers.
    async fn ask<T>(&self, question: impl Fn(mpsc::Sender<T>) -> MailboxEntry) -> Result<Vec<T>, Refusal> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut receivers = Vec::with_capacity(self.workers.len());
        for (index, worker) in self.workers.iter().enumerate() {
            let (sender, receiver) = mpsc::channel(1);
            if !worker.post(question(sender)) {
                return Err(self.unavailable(index, "has a full mailbox"));
            }
            receivers.push(receiver);
        }
        let mut answers = Vec::with_capacity(receivers.len());
        for (index, mut receiver) in receivers.into_iter().enumerate() {
            match timeout_at(deadline, receiver.recv()).await {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) => return Err(self.unavailable(index, "dropped the request")),
                Err(_) => return Err(self.unavailable(index, "did not answer in time")),
            }
        }
        Ok(answers)
    }

    fn unavailable(&self, worker: usize, what: &str) -> Refusal {
        let detail = format!("Worker {worker} of node {} {what}; others may have carried the request out. Try again.", self.node);
        Refusal::new(ErrorCode::ServiceUnavailable, detail)
    }
}
