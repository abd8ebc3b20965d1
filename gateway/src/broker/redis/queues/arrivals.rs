//! Connections that wait for entries.
//!
//! `XREAD BLOCK` occupies its connection. So each partition that waits has a connection of its own, at most [`CONNECTIONS`] of them. Further
//! partitions are looked at after each [`POLL`].

use crate::broker::redis::{
    schema::slot::Slot,
    servers::{
        connect::{connect_error::ConnectError, connector::Connector, server::Server},
        masters::Masters,
    },
};
use gateway_core::{
    model::lock,
    queue::{EntryId, PartitionId},
};
use redis::{
    RedisError, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cmd,
};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// Largest number of connections that wait, for all partitions that this node owns.
pub const CONNECTIONS: usize = 64;
/// Time until a partition without such a connection is looked at again.
const POLL: Duration = Duration::from_millis(250);
/// Pause after an error.
const PAUSE: Duration = Duration::from_millis(500);

/// See the [module](self).
pub(crate) struct Arrivals {
    masters: Arc<Masters>,
    free: Arc<Semaphore>,
    /// How long a read blocks. It is shorter than the time after which a connection without an answer counts as broken.
    block: Duration,
    waiters: Mutex<BTreeMap<PartitionId, Arc<tokio::sync::Mutex<Waiter>>>>,
}

/// The connection of one partition.
#[derive(Default)]
struct Waiter {
    permit: Option<OwnedSemaphorePermit>,
    connection: Option<Waiting>,
    /// The read in flight, and the entry behind which it reads. It goes on while nobody polls it.
    read: Option<(EntryId, Read)>,
}

/// A connection, and where it leads.
struct Waiting {
    connection: MultiplexedConnection,
    connector: Arc<Connector>,
    server: Server,
}

type Read = Pin<Box<dyn Future<Output = Result<Waiting, Failure>> + Send>>;

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no server has the partition")]
    Unserved,
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Read(#[from] RedisError),
}

impl Arrivals {
    /// `response`: time after which a connection without an answer counts as broken.
    pub(crate) fn new(masters: Arc<Masters>, response: Duration) -> Self {
        let (free, waiters) = (Arc::new(Semaphore::new(CONNECTIONS)), Mutex::default());
        Self { masters, free, block: (response / 2).max(Duration::from_millis(1)), waiters }
    }

    /// Waits until the stream `key` perhaps has an entry behind `after`, or some seconds. If this future is dropped, the read goes on, and the next
    /// call waits for it.
    pub(super) async fn wait(&self, partition: &PartitionId, key: String, after: EntryId) {
        let waiter = lock(&self.waiters).entry(partition.clone()).or_default().clone();
        let mut waiter = waiter.lock().await;
        if waiter.permit.is_none() {
            waiter.permit = self.free.clone().try_acquire_owned().ok();
        }
        if waiter.permit.is_none() {
            return sleep(POLL).await;
        }
        loop {
            if waiter.read.is_none() {
                waiter.read = Some((after, self.read(waiter.connection.take(), &key, after)));
            }
            let Some((started, read)) = &mut waiter.read else { return };
            let (started, answer) = (*started, read.await);
            waiter.read = None;
            match answer {
                Ok(waiting) => waiter.connection = Some(waiting),
                Err(failure) => {
                    tracing::debug!(%partition, %failure, "a wait for entries was interrupted");
                    self.masters.request_refresh();
                    return sleep(PAUSE).await;
                }
            }
            if started == after {
                return;
            }
        }
    }

    /// Closes the connection of a partition.
    pub(super) fn end(&self, partition: &PartitionId) {
        lock(&self.waiters).remove(partition);
    }

    /// Starts a read that ends with the first entry behind `after`, or after some time.
    fn read(&self, last: Option<Waiting>, key: &str, after: EntryId) -> Read {
        let topology = self.masters.topology();
        let master = topology.only().or_else(|| topology.owner(Slot::of(key.as_bytes())));
        let connector = master.and_then(|master| self.masters.connector(master));
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(self.block.as_millis() as u64).arg("STREAMS").arg(key).arg(after.to_string());
        Box::pin(async move {
            let connector = connector.ok_or(Failure::Unserved)?;
            let last = last.filter(|last| Arc::ptr_eq(&last.connector, &connector) && connector.is_newest(&last.server));
            let mut waiting = if let Some(last) = last {
                last
            } else {
                let (connection, server) = connector.blocking().await?;
                Waiting { connection, connector, server }
            };
            waiting.connection.req_packed_command(&read).await.and_then(Value::extract_error)?;
            Ok(waiting)
        })
    }
}
