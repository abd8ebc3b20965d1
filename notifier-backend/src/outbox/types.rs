//! Inputs and outputs of the outbox.

use crate::notification::{Millis, Target};

/// The result of an accepted notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Id of the notification.
    pub id: String,
    /// Whether it was stored earlier with the same idempotency key.
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
    /// Too many deliveries are pending, or too many requests wait for the disk.
    Full,
    /// The store failed. After a failed commit the notification may be stored nevertheless.
    Store(StoreError),
}

/// A delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the delivery, and the idempotency key of its requests to the gateway.
    pub id: String,
    /// The notification's id, which frontends see.
    pub notification: String,
    /// The JSON that frontends receive.
    pub data: String,
    /// The user or channel that receives it.
    pub target: Target,
    /// The earliest time of the first attempt.
    pub due: Millis,
    /// Recorded attempts.
    pub attempts: u32,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway accepted it.
    Delivered {
        /// The epoch of the channel; empty if the channel has no history.
        epoch: String,
    },
    /// The gateway refused it permanently.
    Failed {
        /// The error, for people.
        cause: String,
    },
    /// The attempt failed and is repeated.
    Retry {
        /// The error, for people.
        cause: String,
        /// The earliest time of the next attempt.
        at: Millis,
    },
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite or the disk failed.
    #[error("outbox: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The stored JSON is invalid.
    #[error("outbox: invalid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A stored value is invalid.
    #[error("outbox: invalid value: {0}")]
    Corrupt(String),
    /// The commit of this write and others failed.
    #[error("outbox: the commit failed: {0}")]
    Commit(String),
    /// The copy cannot be created.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Backup(std::path::PathBuf, std::io::Error),
    /// Another process keeps the outbox locked.
    #[error("outbox: another process keeps it locked; try again")]
    Locked,
    /// The outbox is closed.
    #[error("the outbox is closed")]
    Closed,
    /// A thread could not be started.
    #[error("outbox: a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
