//! The handle on the outbox. It passes requests to the threads and waits for their results.

use super::reader::{self, Read};
use super::store;
use super::types::{Accepted, Delivery, Outcome, Refused, StoreError};
use super::view::{Filter, NotificationView, Page};
use super::writer::{self, Write};
use crate::notification::{Millis, Notification, Target};
use crate::settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// A handle on the outbox. Cheap to clone. The threads end when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Outbox {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
    accepted: Arc<Notify>,
    keep_for: Duration,
    keep_count: u64,
}

impl Outbox {
    /// Opens the file and starts the threads.
    pub fn open(settings: &settings::Outbox) -> Result<Self, StoreError> {
        let (writes, to_write) = mpsc::channel(settings.queue);
        let (reads, to_read) = mpsc::channel(settings.queue);
        let connection = store::open(&settings.path)?;
        let pending = store::pending(&connection)?;
        writer::start(connection, to_write, pending, settings.pending_limit)?;
        reader::start(store::open(&settings.path)?, to_read)?;
        let keep_for = Duration::from_secs(settings.keep_hours * 3600);
        Ok(Self { writes, reads, accepted: Arc::default(), keep_for, keep_count: settings.keep_count })
    }

    /// Stores a notification. `key` is the caller's idempotency key and the request that it belongs to.
    pub async fn accept(&self, new: Notification, key: Option<(String, String)>) -> Result<Accepted, Refused> {
        let (reply, result) = oneshot::channel();
        // A full queue means that the disk is too slow. Waiting would only delay the refusal.
        self.writes.try_send(Write::Accept { new, key, reply }).map_err(|_| Refused::Full)?;
        let accepted = result.await.map_err(|_| StoreError::Closed)??;
        self.accepted.notify_one();
        Ok(accepted)
    }

    /// Waits until a notification has been accepted since the last call.
    pub async fn wait_for_accepted(&self) {
        self.accepted.notified().await;
    }

    /// Records the outcome of an attempt.
    pub async fn record_outcome(&self, delivery: String, outcome: Outcome) -> Result<(), StoreError> {
        let (reply, result) = oneshot::channel();
        self.writes.send(Write::RecordOutcome { delivery, outcome, reply }).await.map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }

    /// Makes deliveries to `target` pending again that were made after `since` in an epoch other than this. Returns their number.
    pub async fn requeue_lost(&self, target: Target, epoch: String, since: Millis) -> Result<usize, StoreError> {
        let (reply, result) = oneshot::channel();
        self.writes.send(Write::RequeueLost { target, epoch, since, reply }).await.map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }

    /// Deletes finished notifications that are too old or too many. Returns their number.
    pub async fn prune(&self) -> Result<usize, StoreError> {
        let (reply, result) = oneshot::channel();
        let older_than = Millis::now().minus(self.keep_for);
        self.writes.send(Write::Prune { older_than, keep: self.keep_count, reply }).await.map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }

    /// The next delivery of each target, if it is due; at most `limit`.
    pub async fn due(&self, now: Millis, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.read(|reply| Read::Due { now, limit, reply }).await
    }

    /// Users to whom something was delivered at `since` or later, into a channel with a history. Returns the next `limit` users after
    /// `last`, ordered by name.
    pub async fn users_with_deliveries(&self, last: Option<String>, since: Millis, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|reply| Read::UsersWithDeliveries { last, since, limit, reply }).await
    }

    /// Number of pending deliveries.
    pub async fn pending(&self) -> Result<u64, StoreError> {
        self.read(|reply| Read::Pending { reply }).await
    }

    /// The notification with this id.
    pub async fn find(&self, id: String) -> Result<Option<NotificationView>, StoreError> {
        self.read(|reply| Read::Find { id, reply }).await
    }

    /// A page of notifications, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.read(|reply| Read::List { filter, reply }).await
    }

    async fn read<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Read) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.reads.send(request(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
