//! The two threads that own the connections.

use super::store;
use super::{Accepted, Conflict, Delivery, Filter, NotificationView, Outcome, Page, Refused, StoreError};
use crate::notification::{Millis, Notification, Target};
use rusqlite::{Connection, Transaction};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Writes that share one commit at most.
const GROUP: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

#[derive(Debug)]
pub(super) enum Write {
    Accept { new: Notification, key: Option<(String, String)>, reply: oneshot::Sender<Result<Accepted, Refused>> },
    Settle { delivery: String, outcome: Outcome, reply: Reply<()> },
    Lost { target: Target, epoch: String, since: Millis, reply: Reply<usize> },
    Prune { older_than: Millis, keep: u64, reply: Reply<usize> },
}

#[derive(Debug)]
pub(super) enum Read {
    Due { now: Millis, limit: usize, reply: Reply<Vec<Delivery>> },
    DeliveredTo { last: Option<String>, since: Millis, limit: usize, reply: Reply<Vec<String>> },
    Pending { reply: Reply<u64> },
    Find { id: String, reply: Reply<Option<NotificationView>> },
    List { filter: Filter, reply: Reply<Page> },
}

/// What is told once the commit has returned; on failure, that it failed.
type Told = Box<dyn FnOnce(Result<(), &rusqlite::Error>)>;

struct Writer {
    connection: Connection,
    pending: u64,
    pending_limit: u64,
}

pub(super) fn start_writer(
    connection: Connection,
    queue: mpsc::Receiver<Write>,
    pending: u64,
    pending_limit: u64,
) -> Result<(), StoreError> {
    let writer = Writer { connection, pending, pending_limit };
    thread::Builder::new().name("outbox-writer".into()).spawn(move || writer.run(queue))?;
    Ok(())
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Write>) {
        let mut group = Vec::with_capacity(GROUP);
        while queue.blocking_recv_many(&mut group, GROUP) > 0 {
            let before = self.pending;
            let mut told: Vec<Told> = Vec::with_capacity(group.len());
            let committed = match self.connection.transaction() {
                Ok(tx) => {
                    for write in group.drain(..) {
                        told.extend(carry_out(&tx, write, &mut self.pending, self.pending_limit));
                    }
                    tx.commit()
                }
                Err(error) => Err(error),
            };
            if let Err(error) = &committed {
                self.pending = before;
                tracing::error!(%error, "the outbox could not be written");
            }
            // Where not even a transaction began, dropping the replies says so.
            group.clear();
            for tell in told {
                tell(committed.as_ref().map(drop));
            }
        }
    }
}

/// Carries one write out; each statement that fails leaves nothing behind, and the others of the group go on.
fn carry_out(tx: &Transaction<'_>, write: Write, pending: &mut u64, limit: u64) -> Option<Told> {
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
        Write::Settle { delivery, outcome, reply } => {
            let done = within_savepoint(tx, || store::settle(tx, &delivery, &outcome, Millis::now()));
            if done.is_ok() && !matches!(outcome, Outcome::Retry { .. }) {
                *pending = pending.saturating_sub(1);
            }
            Some(after_commit(done, reply))
        }
        Write::Lost { target, epoch, since, reply } => {
            let done = within_savepoint(tx, || store::lost(tx, &target, &epoch, since, Millis::now()));
            *pending += done.as_ref().map_or(0, |&lost| lost as u64);
            Some(after_commit(done, reply))
        }
        Write::Prune { older_than, keep, reply } => {
            let done = within_savepoint(tx, || store::prune(tx, older_than, keep));
            Some(after_commit(done, reply))
        }
    }
}

fn after_commit<T: 'static>(done: Result<T, StoreError>, reply: Reply<T>) -> Told {
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

pub(super) fn start_reader(connection: Connection, mut queue: mpsc::Receiver<Read>) -> Result<(), StoreError> {
    let read = move || {
        while let Some(read) = queue.blocking_recv() {
            answer(&connection, read);
        }
    };
    thread::Builder::new().name("outbox-reader".into()).spawn(read)?;
    Ok(())
}

/// Who asked and is gone needs no answer.
fn answer(connection: &Connection, read: Read) {
    match read {
        Read::Due { now, limit, reply } => drop(reply.send(store::due(connection, now, limit))),
        Read::DeliveredTo { last, since, limit, reply } => drop(reply.send(store::delivered_to(connection, last.as_deref(), since, limit))),
        Read::Pending { reply } => drop(reply.send(store::pending(connection))),
        Read::Find { id, reply } => drop(reply.send(store::find(connection, &id))),
        Read::List { filter, reply } => drop(reply.send(store::list(connection, &filter))),
    }
}
