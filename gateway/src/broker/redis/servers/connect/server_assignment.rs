//! Server assignment: the agreement of all nodes on the role of each server.
//!
//! Nodes with different servers in `redis.url`, or with different names for them, would look for a channel at different servers and miss each other's
//! publications. So before a node uses a server, it writes its own view of the server's role into a key there, with an expiry of one lease, and renews it.
//! While the key exists, a node with another view may not use the server. A node that cannot renew the key stops using the server when its lease is over.
//!
//! A node that finds another view at one server uses none of its servers. It writes no new key until a lease has passed without a conflict. Otherwise a
//! node with a wrong list could take over all servers as soon as Redis loses the keys, and store publications at a server that only this node uses.

use super::connect_error::ConnectError;
use crate::broker::redis::{schema::scripts::SCRIPTS, servers::address::Peer};
use gateway_core::model::lock;
use redis::{ErrorKind, RedisResult, aio::MultiplexedConnection};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// The assignments of all servers of one node.
#[derive(Clone, Debug)]
pub(crate) struct ServerAssignments {
    key: Box<str>,
    lease: Duration,
    /// The time of the last conflict, at any server.
    last_conflict: Arc<Mutex<Option<Instant>>>,
}

/// The role of one server, as this node sees it.
#[derive(Debug)]
pub(crate) struct ServerAssignment {
    role: Box<str>,
    all: ServerAssignments,
    /// When the assignment ends, unless this node renews it. None while this node does not hold it.
    ends: watch::Sender<Option<Instant>>,
}

impl ServerAssignments {
    /// `key`: the name of the key at each server; `lease`: its lifetime.
    pub(crate) fn new(key: String, lease: Duration) -> Self {
        Self { key: key.into(), lease, last_conflict: Arc::default() }
    }

    /// The role of the only server.
    pub(crate) fn only_server(&self) -> ServerAssignment {
        self.assignment("the only server".into())
    }

    /// The role of one of several servers, by its name and the names of all.
    pub(crate) fn one_of(&self, name: &str, names: &[Box<str>]) -> ServerAssignment {
        self.assignment(format!("server {name} of {}", names.join(", ")).into())
    }

    fn assignment(&self, role: Box<str>) -> ServerAssignment {
        ServerAssignment { role, all: self.clone(), ends: watch::Sender::default() }
    }

    fn are_suspended(&self) -> bool {
        lock(&self.last_conflict).is_some_and(|last| last.elapsed() < self.lease)
    }
}

impl ServerAssignment {
    // NL-7.11
    /// Sets or renews the role at its server. Succeeds only if the key contains this role afterwards. After an error, the assignment ends when it would
    /// have ended without this attempt.
    pub(crate) async fn renew(&self, peer: &Peer, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        let (address, asked) = (peer.to_string().into(), Instant::now());
        match self.write(connection).await {
            Ok(current) if !current.is_empty() && *current != *self.role => {
                *lock(&self.all.last_conflict) = Some(Instant::now());
                Err(ConnectError::Disputed { address, here: self.role.clone(), there: current.into() })
            }
            Err(error) if error.kind() == ErrorKind::Io => Err(ConnectError::of(peer, &error)),
            _ if self.all.are_suspended() => Err(ConnectError::Suspended { address }),
            Err(error) => Err(ConnectError::of_assignment(peer, &self.all.key, &error)),
            // The suspension has ended during the attempt. The next one may set the key.
            Ok(current) if current.is_empty() => Err(ConnectError::Suspended { address }),
            Ok(_) => {
                self.ends.send_replace(Some(asked + self.all.lease));
                Ok(())
            }
        }
    }

    /// Like [`Self::renew`], for a new connection. It may be used as long as an earlier renewal lasts, although the server refuses this one.
    pub(crate) async fn renew_or_keep(&self, peer: &Peer, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        match self.renew(peer, connection).await {
            Err(ConnectError::Unassigned { .. } | ConnectError::Forbidden { .. }) if self.ends().is_some() => Ok(()),
            renewed => renewed,
        }
    }

    /// Time between two renewals.
    pub(crate) fn renew_interval(&self) -> Duration {
        self.all.lease / 3
    }

    /// When the assignment ends, if this node holds it.
    fn ends(&self) -> Option<Instant> {
        self.ends.borrow().filter(|ends| *ends > Instant::now())
    }

    /// Waits until the assignment ends because this node has not renewed it.
    pub(crate) async fn ended(&self) {
        let mut changes = self.ends.subscribe();
        loop {
            let ends = *changes.borrow_and_update();
            // The sender lives as long as `self`.
            let is_over = match ends {
                Some(ends) => timeout_at(ends, changes.changed()).await.is_err(),
                None => changes.changed().await.is_err(),
            };
            // Only a renewal makes it end again.
            if is_over && self.ends.send_if_modified(|ends| ends.take_if(|ends| *ends <= Instant::now()).is_some()) {
                return;
            }
        }
    }

    /// Returns the role that the key contains now.
    async fn write(&self, connection: &mut MultiplexedConnection) -> RedisResult<String> {
        let mode = if self.all.are_suspended() { "again" } else { "first" };
        let mut assign = SCRIPTS.assign.key(&*self.all.key);
        assign.arg(&*self.role).arg(self.all.lease.as_millis() as u64).arg(mode).invoke_async(connection).await
    }
}
