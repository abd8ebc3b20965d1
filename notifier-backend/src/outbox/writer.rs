//! The thread that writes.

use super::store;
use super::types::{Accepted, Conflict, Outcome, Refused, StoreError};
use crate::notification::{Millis, Notification, Target};
use rusqlite::{Connection, Transaction};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Maximum number of writes in one commit.
const MAX_GROUP: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

#[derive(Debug)]
pub(super) enum Write {
    Accept { new: Notification, key: Option<(String, String)>, reply: oneshot::Sender<Result<Accepted, Refused>> },
    RecordOutcome { delivery: String, outcome: Outcome, reply: Reply<()> },
    RequeueLost { target: Target, epoch: String, since: Millis, reply: Reply<usize> },
    Prune { older_than: Millis, keep: u64, reply: Reply<usize> },
}

/// Replies to the caller of a write. It is called with the result of the commit.
type CommitCallback = Box<dyn FnOnce(Result<(), &rusqlite::Error>)>;

struct Writer {
    connection: Connection,
    pending: u64,
    pending_limit: u64,
}

pub(super) fn start(connection: Connection, queue: mpsc::Receiver<Write>, pending: u64, pending_limit: u64) -> Result<(), StoreError> {
    let writer = Writer { connection, pending, pending_limit };
    thread::Builder::new().name("outbox-writer".into()).spawn(move || writer.run(queue))?;
    Ok(())
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Write>) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        while queue.blocking_recv_many(&mut group, MAX_GROUP) > 0 {
            let pending_before = self.pending;
            let mut callbacks: Vec<CommitCallback> = Vec::with_capacity(group.len());
            let committed = match self.connection.transaction() {
                Ok(tx) => {
                    for write in group.drain(..) {
                        callbacks.extend(execute(&tx, write, &mut self.pending, self.pending_limit));
                    }
                    tx.commit()
                }
                Err(error) => Err(error),
            };
            if let Err(error) = &committed {
                self.pending = pending_before;
                tracing::error!(%error, "the outbox could not be written");
            }
            // Without a transaction the writes are dropped here, and their callers get `Closed`.
            group.clear();
            for callback in callbacks {
                callback(committed.as_ref().map(drop));
            }
        }
    }
}

/// Executes one write. If it fails, its changes are rolled back, and the other writes of the group continue. Returns `None` if the caller
/// already has the reply.
fn execute(tx: &Transaction<'_>, write: Write, pending: &mut u64, limit: u64) -> Option<CommitCallback> {
    match write {
        Write::Accept { new, key, reply } => {
            let targets = new.targets.len() as u64;
            if *pending + targets > limit {
                let _gone = reply.send(Err(Refused::Full));
                return None;
            }
            let key = key.as_ref().map(|(key, request)| (key.as_str(), request.as_str()));
            match within_savepoint(tx, || store::accept(tx, &new, key, Millis::now())) {
                Ok(Ok(accepted)) => {
                    *pending += if accepted.replayed { 0 } else { targets };
                    Some(Box::new(move |committed| {
                        let _gone = reply.send(committed.map(|()| accepted).map_err(|error| Refused::Store(commit_failed(error))));
                    }))
                }
                Ok(Err(Conflict)) => {
                    let _gone = reply.send(Err(Refused::Conflict));
                    None
                }
                Err(error) => {
                    let _gone = reply.send(Err(Refused::Store(error)));
                    None
                }
            }
        }
        Write::RecordOutcome { delivery, outcome, reply } => {
            let done = within_savepoint(tx, || store::record_outcome(tx, &delivery, &outcome, Millis::now()));
            if done.is_ok() && !matches!(outcome, Outcome::Retry { .. }) {
                *pending = pending.saturating_sub(1);
            }
            Some(after_commit(done, reply))
        }
        Write::RequeueLost { target, epoch, since, reply } => {
            let done = within_savepoint(tx, || store::requeue_lost(tx, &target, &epoch, since, Millis::now()));
            *pending += done.as_ref().map_or(0, |&lost| lost as u64);
            Some(after_commit(done, reply))
        }
        Write::Prune { older_than, keep, reply } => {
            let done = within_savepoint(tx, || store::prune(tx, older_than, keep));
            Some(after_commit(done, reply))
        }
    }
}

fn after_commit<T: 'static>(done: Result<T, StoreError>, reply: Reply<T>) -> CommitCallback {
    Box::new(move |committed| {
        let _gone = reply.send(done.and_then(|value| committed.map(|()| value).map_err(commit_failed)));
    })
}

fn within_savepoint<T>(tx: &Transaction<'_>, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    tx.execute_batch("SAVEPOINT one")?;
    let done = work();
    tx.execute_batch(if done.is_ok() { "RELEASE one" } else { "ROLLBACK TO one; RELEASE one" })?;
    done
}

fn commit_failed(error: &rusqlite::Error) -> StoreError {
    StoreError::Commit(error.to_string())
}
