//! The thread that reads.

use super::store;
use super::types::{Delivery, StoreError};
use super::view::{Filter, NotificationView, Page};
use crate::notification::Millis;
use rusqlite::Connection;
use std::thread;
use tokio::sync::{mpsc, oneshot};

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

#[derive(Debug)]
pub(super) enum Read {
    Due { now: Millis, limit: usize, reply: Reply<Vec<Delivery>> },
    UsersWithDeliveries { last: Option<String>, since: Millis, limit: usize, reply: Reply<Vec<String>> },
    Pending { reply: Reply<u64> },
    Find { id: String, reply: Reply<Option<NotificationView>> },
    List { filter: Filter, reply: Reply<Page> },
}

pub(super) fn start(connection: Connection, mut queue: mpsc::Receiver<Read>) -> Result<(), StoreError> {
    let read = move || {
        while let Some(read) = queue.blocking_recv() {
            answer(&connection, read);
        }
    };
    thread::Builder::new().name("outbox-reader".into()).spawn(read)?;
    Ok(())
}

/// Executes one read. If the caller no longer waits, the result is dropped.
fn answer(connection: &Connection, read: Read) {
    match read {
        Read::Due { now, limit, reply } => drop(reply.send(store::due(connection, now, limit))),
        Read::UsersWithDeliveries { last, since, limit, reply } => {
            drop(reply.send(store::users_with_deliveries(connection, last.as_deref(), since, limit)));
        }
        Read::Pending { reply } => drop(reply.send(store::pending(connection))),
        Read::Find { id, reply } => drop(reply.send(store::find(connection, &id))),
        Read::List { filter, reply } => drop(reply.send(store::list(connection, &filter))),
    }
}
