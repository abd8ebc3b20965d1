//! The durable outbox. One thread writes, in groups that share a commit; another reads. Accepted means: the commit has returned.

mod store;
#[cfg(test)]
mod tests;
mod threads;
mod view;

use crate::notification::{Millis, Notification, Target};
use crate::settings;
use std::sync::Arc;
use std::time::Duration;
use threads::{Read, Write};
use tokio::sync::{Notify, mpsc, oneshot};

pub use view::{DeliveryState, DeliveryView, Filter, NotificationView, Page};

/// A notification was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: String,
    /// It had been stored before, under the same idempotency key.
    pub replayed: bool,
}

/// The idempotency key was used for another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// Why a notification was not accepted.
#[derive(Debug)]
pub enum Refused {
    /// The idempotency key was used for another request.
    Conflict,
    /// Too much is pending, or too many requests wait for the disk.
    Full,
    /// The store failed: surely not accepted.
    Store(StoreError),
}

/// A delivery that may be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its idempotency key towards the gateway.
    pub id: String,
    /// The notification's id, which frontends see.
    pub notification: String,
    /// What frontends receive, as JSON.
    pub data: String,
    /// Whom it is for.
    pub target: Target,
    /// Since when it may be delivered.
    pub due: Millis,
    /// Attempts that were recorded.
    pub attempts: u32,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway has it.
    Delivered {
        /// In this epoch of the channel; empty where it keeps no history.
        epoch: String,
    },
    /// The gateway refused it for good.
    Failed {
        /// Why.
        cause: String,
    },
    /// It is to be tried again.
    Retry {
        /// Why it did not succeed.
        cause: String,
        /// Not before.
        at: Millis,
    },
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite, or the disk under it.
    #[error("outbox: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What is stored cannot be read.
    #[error("outbox: {0}")]
    Json(#[from] serde_json::Error),
    /// What is stored makes no sense.
    #[error("outbox: {0}")]
    Corrupt(String),
    /// A commit failed that carried this write and others.
    #[error("outbox: the commit failed: {0}")]
    Commit(String),
    /// The outbox is closed.
    #[error("the outbox is closed")]
    Closed,
    /// A thread could not be started.
    #[error("outbox: {0}")]
    Thread(#[from] std::io::Error),
}

/// A handle on the outbox. Cheap to clone; the threads end with the last one.
#[derive(Debug, Clone)]
pub struct Outbox {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
    accepted: Arc<Notify>,
    keep: (Duration, u64),
}

impl Outbox {
    /// Opens the file and starts the threads.
    pub fn open(settings: &settings::Outbox) -> Result<Self, StoreError> {
        let (writes, to_write) = mpsc::channel(settings.queue);
        let (reads, to_read) = mpsc::channel(settings.queue);
        let connection = store::open(&settings.path)?;
        let pending = store::pending(&connection)?;
        threads::start_writer(connection, to_write, pending, settings.pending_limit)?;
        threads::start_reader(store::open(&settings.path)?, to_read)?;
        let keep = (Duration::from_secs(settings.keep_hours * 3600), settings.keep_count);
        Ok(Self { writes, reads, accepted: Arc::default(), keep })
    }

    /// Stores a notification; `key` is the caller's idempotency key with the request that it stands for.
    pub async fn accept(&self, new: Notification, key: Option<(String, String)>) -> Result<Accepted, Refused> {
        let (reply, outcome) = oneshot::channel();
        // Waiting here would only hide that the disk cannot keep up.
        self.writes.try_send(Write::Accept { new, key, reply }).map_err(|_| Refused::Full)?;
        let accepted = outcome.await.map_err(|_| StoreError::Closed)??;
        self.accepted.notify_one();
        Ok(accepted)
    }

    /// Waits until something was accepted since the last call.
    pub async fn news(&self) {
        self.accepted.notified().await;
    }

    /// Records how an attempt went.
    pub async fn settle(&self, delivery: String, outcome: Outcome) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        self.writes.send(Write::Settle { delivery, outcome, reply }).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Makes pending again what was delivered to `target` since then and in another epoch than this; answers how many.
    pub async fn lost(&self, target: Target, epoch: String, since: Millis) -> Result<usize, StoreError> {
        let (reply, done) = oneshot::channel();
        self.writes.send(Write::Lost { target, epoch, since, reply }).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Deletes finished notifications beyond what is kept; answers how many went.
    pub async fn prune(&self) -> Result<usize, StoreError> {
        let (reply, done) = oneshot::channel();
        let older_than = Millis::now().minus(self.keep.0);
        self.writes.send(Write::Prune { older_than, keep: self.keep.1, reply }).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// The first due delivery of each target that may be tried now.
    pub async fn due(&self, now: Millis, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.read(|reply| Read::Due { now, limit, reply }).await
    }

    /// The first of the users to whom something was delivered since then into a history, by name, after `last`.
    pub async fn delivered_to(&self, last: Option<String>, since: Millis, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|reply| Read::DeliveredTo { last, since, limit, reply }).await
    }

    /// Deliveries that are pending.
    pub async fn pending(&self) -> Result<u64, StoreError> {
        self.read(|reply| Read::Pending { reply }).await
    }

    /// One notification.
    pub async fn find(&self, id: String) -> Result<Option<NotificationView>, StoreError> {
        self.read(|reply| Read::Find { id, reply }).await
    }

    /// A page of notifications, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.read(|reply| Read::List { filter, reply }).await
    }

    async fn read<T>(&self, ask: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Read) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.reads.send(ask(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
